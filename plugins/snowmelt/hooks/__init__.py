"""One API client each. All are synchronous; triggers call them in threads, by `snapshot.shared`."""
