"""Run the clients as a process of their own inside the lab's namespace."""

from __future__ import annotations

import json
import os
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
    """Clients that click at the balancer until they are stopped, or we are gone."""

    def __init__(self, out: Path, *arguments: str, netns: str = NETNS) -> None:
        self.out = out
        # Clients that have lost us end with their last totals: those go into a file of their own.
        self._live = out.with_name(f".{out.stem}.{os.getpid()}.json")
        enter = ["ip", "netns", "exec", netns] if netns else []
        program = [sys.executable, "-m", "lab.load", "--out", str(self._live), "--with-parent"]
        self.command = [*enter, *program, *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start clicking and return when the first totals are there."""
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self.out.unlink(missing_ok=True)
        for old in self.out.parent.glob(f".{self.out.stem}.*.json"):
            old.unlink(missing_ok=True)
        self._process = subprocess.Popen(self.command, cwd=CHECKOUT, start_new_session=True)
        until(self._live.exists, 15, "the clients have started")

    def totals(self) -> dict[str, Any]:
        """Return the totals as of the last second; once the clients have ended, the whole."""
        file = self._live if self._process is not None else self.out
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    def stop(self) -> None:
        """Stop the clients and put the whole, with its timeline, where it belongs."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=30)
        self._process = None
        if self._live.exists():
            self._live.replace(self.out)


@contextmanager
def clicking(out: Path, *arguments: str) -> Iterator[Load]:
    """Let clients click for the length of the block; `totals()` afterwards is the whole."""
    load = Load(out, *arguments)
    try:
        load.start()
        yield load
    finally:
        load.stop()
