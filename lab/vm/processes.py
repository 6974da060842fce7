"""Processes by pid AND start time: a pid alone may be somebody else's by now."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process of the host. `started` is field 22 of /proc/PID/stat (clock ticks since boot)."""

    pid: int
    started: str


def find(pid: int, started: str) -> Process | None:
    """The process of that pid if it still is the same one and not a zombie."""
    fields = _stat(pid)
    if fields is None or fields[0] in "ZX" or fields[19] != started:
        return None
    return Process(pid, started)


def child(parent: Process, called: str | None = None) -> Process | None:
    """The first child of a process (its main thread's), if there is one; by name where given."""
    try:
        text = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text()
    except OSError:
        return None
    for pid in map(int, text.split()):
        fields = _stat(pid)
        found = Process(pid, fields[19]) if fields and fields[0] not in "ZX" else None
        if found and (called is None or name(found) == called):
            return found
    return None


def name(process: Process) -> str:
    """The program's short name, empty when it is gone."""
    try:
        return Path(f"/proc/{process.pid}/comm").read_text().strip()
    except OSError:
        return ""


def send(process: Process, number: int) -> None:
    """Send a signal, unless the process is gone."""
    if find(process.pid, process.started) is None:
        return
    try:
        os.kill(process.pid, signal.Signals(number) if number < signal.SIGRTMIN else number)
    except ProcessLookupError:
        return


def gone(process: Process, seconds: float) -> bool:
    """Wait until a process has ended, at most so long."""
    deadline = time.monotonic() + seconds
    while find(process.pid, process.started) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _stat(pid: int) -> list[str] | None:
    """/proc/PID/stat from the state on: the name before it may hold blanks and brackets."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()
