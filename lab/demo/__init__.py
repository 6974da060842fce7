"""The demo: a release goes out under the eyes of clients with sessions, and the report of it."""
