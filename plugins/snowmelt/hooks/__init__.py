"""One API client each. All are synchronous; a trigger calls them with `asyncio.to_thread`."""
