"""Clients with sessions: they click while a release goes out, and count what they notice."""
