"""Run the clients as a process of their own inside the lab's namespace."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.airflow.wait import until
from lab.settings import CHECKOUT, NETNS


class Load:
    """Clients that click at the balancer until they are stopped."""

    def __init__(self, out: Path, *arguments: str, netns: str = NETNS) -> None:
        self.out = out
        enter = ["ip", "netns", "exec", netns] if netns else []
        self.command = [*enter, sys.executable, "-m", "lab.load", "--out", str(out), *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start clicking and return when the first totals are there."""
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self.out.unlink(missing_ok=True)
        self._process = subprocess.Popen(self.command, cwd=CHECKOUT, start_new_session=True)
        until(self.out.exists, 15, "the clients have started")

    def totals(self) -> dict[str, Any]:
        """Return the totals as of the last second."""
        found: dict[str, Any] = json.loads(self.out.read_text())
        return found

    def stop(self) -> dict[str, Any]:
        """Stop the clients and return the whole, with its timeline."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=30)
            self._process = None
        return self.totals()


@contextmanager
def clicking(out: Path, *arguments: str) -> Iterator[Load]:
    """Let clients click for the length of the block; `totals()` afterwards is the whole."""
    load = Load(out, *arguments)
    load.start()
    try:
        yield load
    finally:
        load.stop()
