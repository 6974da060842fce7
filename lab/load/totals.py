"""What the clients have noticed, counted as it happens."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from lab.load.wire import Answer

KEPT_FAILURES = 100  # enough to read; the count goes on


class Totals:
    """Running totals of all clients. Times are seconds since the epoch."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.requests = 0
        self.failed = 0
        self.lost_sessions = 0
        self.sessions = 0
        self.reconnects = 0
        self.failures: list[dict[str, Any]] = []
        self.served: defaultdict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
        self.milliseconds: Counter[int] = Counter()
        self.urls: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def answered(
        self, at: float, took: float, cookie: str | None, answer: Answer, url: str = ""
    ) -> None:
        """Count an answer to a request that was sent to *url* with *cookie*."""
        self._asked(url)
        self.milliseconds[round(took * 1000)] += 1
        if answer.status != 200:
            self._fail(at, f"status {answer.status}", answer.host, url)
            return
        self.served[int(at)][answer.release, answer.host] += 1
        if cookie is not None and not answer.known:
            self.lost_sessions += 1
            self.urls[url]["lost_sessions"] += 1
            self._note(at, "session lost", answer.host, url)

    def broken(self, at: float, error: BaseException, url: str = "") -> None:
        """Count a request that got no answer."""
        self._asked(url)
        self._fail(at, f"{type(error).__name__}: {error}", "", url)

    def _asked(self, url: str) -> None:
        self.requests += 1
        self.urls[url]["requests"] += 1

    def _fail(self, at: float, what: str, host: str, url: str) -> None:
        self.failed += 1
        self.urls[url]["failed"] += 1
        self._note(at, what, host, url)

    def _note(self, at: float, what: str, host: str, url: str) -> None:
        if len(self.failures) < KEPT_FAILURES:
            self.failures.append({"at": at, "what": what, "host": host, "url": url})

    def percentile(self, share: float) -> int:
        """Return the milliseconds within which *share* of the answers came; 0 without answers."""
        wanted = share * self.milliseconds.total()
        reached = 0
        for milliseconds, count in sorted(self.milliseconds.items()):
            reached += count
            if reached >= wanted:
                return milliseconds
        return 0

    def releases(self) -> dict[str, dict[str, Any]]:
        """Return who served which release when: release -> first, last, requests per host."""
        seen: dict[str, dict[str, Any]] = {}
        for second, counts in sorted(self.served.items()):
            for (release, host), count in counts.items():
                entry = seen.setdefault(release, {"first": second, "hosts": Counter()})
                entry["last"] = second
                entry["hosts"][host] += count
        return seen

    def report(self, now: float, *, final: bool) -> dict[str, Any]:
        """Return everything as plain data."""
        slowest = max(self.milliseconds, default=0)
        return {
            "final": final,
            "started": self.started,
            "seconds": round(now - self.started, 3),
            "requests": self.requests,
            "failed": self.failed,
            "lost_sessions": self.lost_sessions,
            "sessions": self.sessions,
            "reconnects": self.reconnects,
            "latency_ms": {"p50": self.percentile(0.5), "p99": self.percentile(0.99),
                           "max": slowest},
            "releases": self.releases(),
            "urls": {
                url: {each: counts[each] for each in ("requests", "failed", "lost_sessions")}
                for url, counts in sorted(self.urls.items())
            },
            "failures": self.failures,
        }  # fmt: skip

    def timeline(self) -> list[dict[str, Any]]:
        """Return the requests of each second by release and host."""
        return [
            {"second": second, "release": release, "host": host, "requests": count}
            for second, counts in sorted(self.served.items())
            for (release, host), count in sorted(counts.items())
        ]

    def write(self, file: Path, now: float, *, final: bool) -> None:
        """Replace *file* by the totals so far; a reader never sees half of it."""
        data = self.report(now, final=final) | ({"timeline": self.timeline()} if final else {})
        draft = file.with_suffix(".part")
        draft.write_text(json.dumps(data))
        draft.replace(file)
