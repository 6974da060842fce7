"""The lab's OpenNebula front-end: our own server that speaks the wire of oned 7.4.0."""
