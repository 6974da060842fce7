"""Processes in the lab's network that no supervisor knows any more."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from lab.settings import NETNS


def end() -> None:
    """Ask them all to end, then kill what has not. VMs are elsewhere and go on."""
    for number, patience in ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0)):
        for pid in _inside():
            _signal(pid, number)
        deadline = time.monotonic() + patience
        while _inside() and time.monotonic() < deadline:
            time.sleep(0.1)


def _inside() -> list[int]:
    done = subprocess.run(
        ["ip", "netns", "pids", NETNS], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in done.stdout.split() if not _zombie(pid)]


def _zombie(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
