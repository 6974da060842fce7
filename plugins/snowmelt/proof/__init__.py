"""The proof on its way to disk: its store, its signature, its evidence."""
