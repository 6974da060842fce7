"""What a tree of processes has cost so far, read from /proc."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    cpu_s: float  # its own and that of the children it has waited for


def _process(stat: str) -> _Process:
    pid, _, rest = stat.partition(" (")
    fields = rest.rpartition(") ")[2].split()
    ticks = sum(int(field) for field in fields[11:15])  # utime stime cutime cstime
    return _Process(int(pid), int(fields[1]), ticks / _TICKS)


def _all() -> list[_Process]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            found.append(_process(path.read_text()))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return found


def tree(root: int) -> list[_Process]:
    """The process *root* and all below it."""
    children = defaultdict(list)
    for process in _all():
        children[process.parent].append(process)
        if process.pid == root:
            children[-1].append(process)
    found, waiting = [], list(children[-1])
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += children[process.pid]
    return found


def cpu_s(root: int) -> float:
    """CPU-seconds of a tree, those of its dead included: whoever waited for them has them."""
    return sum(process.cpu_s for process in tree(root))


def machine_s() -> dict[str, float]:
    """CPU-seconds of the whole machine since it started: all, idle, and kept back by its host."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().split()[1:9]]
    # user nice system idle iowait irq softirq steal
    idle, stolen = ticks[3] + ticks[4], ticks[7]
    return {"all": sum(ticks) / _TICKS, "idle": idle / _TICKS, "stolen": stolen / _TICKS}


def memory_mb(root: int) -> float:
    """Memory of a tree in MB; what several processes share is counted once (PSS)."""
    total = 0
    for process in tree(root):
        try:
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


@dataclass
class PeakMemory:
    """Looks every few seconds, for as long as the block lasts; `mb` is the most that it saw."""

    root: int
    every_s: float = 10.0
    mb: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> PeakMemory:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while True:
            self.mb = max(self.mb, memory_mb(self.root))
            if self._over.wait(self.every_s):
                return
