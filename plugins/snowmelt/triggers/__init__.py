"""Triggers wait. They look, and never change anything: one may run twice after a restart."""
