"""Situations that were recorded, one function each."""
