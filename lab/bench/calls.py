"""What the product asked of each system, counted where it arrives."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Calls:
    """Calls by system and name, and connections open at once. Used from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._mutating: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._peak: Counter[str] = Counter()

    def add(self, system: str, name: str, *, mutating: bool) -> None:
        """Count one call."""
        with self._lock:
            self._calls[system][name] += 1
            self._mutating[system] += mutating

    @contextmanager
    def connected(self, system: str) -> Iterator[None]:
        """Count a connection for as long as the block lasts."""
        with self._lock:
            self._open[system] += 1
            self._peak[system] = max(self._peak[system], self._open[system])
        try:
            yield
        finally:
            with self._lock:
                self._open[system] -= 1

    def reset(self) -> None:
        """Count from zero again; what is connected stays so."""
        with self._lock:
            self._calls.clear()
            self._mutating.clear()
            self._peak = Counter(self._open)

    def report(self) -> dict[str, Any]:
        """System -> calls by name, how many of them change something, peak of connections."""
        with self._lock:
            return {
                system: {
                    "calls": dict(sorted(names.items())),
                    "mutating": self._mutating[system],
                    "peak_connections": self._peak[system],
                }
                for system, names in sorted(self._calls.items())
            }
