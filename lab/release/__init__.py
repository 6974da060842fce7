"""The example service's release packages and the signed archive that serves them."""
