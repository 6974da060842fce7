"""State on disk: one SQLite file, one transaction per change. Survives kill -9."""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    kind TEXT, id INTEGER, body TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class Store:
    """The file. Callers hold the world's lock: SQLite sees one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # WAL + NORMAL: a commit survives the death of the process, not always that of the kernel
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def objects(self) -> Iterator[tuple[str, int, str]]:
        """All objects: (kind, id, JSON)."""
        yield from self._db.execute("SELECT kind, id, body FROM objects ORDER BY kind, id")

    def counters(self) -> dict[str, int]:
        """The counters: next id per kind."""
        return dict(self._db.execute("SELECT name, value FROM counters"))

    def write(
        self,
        changed: Iterable[tuple[str, int, str]],
        removed: Iterable[tuple[str, int]],
        counters: dict[str, int],
    ) -> None:
        """Write one change, whole or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", changed)
        self._db.executemany("DELETE FROM objects WHERE kind = ? AND id = ?", removed)
        self._db.executemany("INSERT OR REPLACE INTO counters VALUES (?, ?)", counters.items())
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._db.close()
