"""The example services' release packages and the signed archive that serves them."""
