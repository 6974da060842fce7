"""The one Debian image that every VM of the lab is an overlay of."""
