"""One look per back end and interval, shared by all triggers of a process.

A thousand VMs that wait for OpenNebula cost one call per interval, not a thousand: a real oned
serves 15 connections at a time and closes each after one call.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

T = TypeVar("T")

# No look serves for longer than its interval, 5 s at most. Most keys name a VM or a rollout, which
# nobody asks for again: a triggerer would hold them all, 1,000 VMs a day, for as long as it runs.
KEPT_S = 60.0
# Looks at a system that hangs hold their threads for 35 s, and asyncio has cores + 4 of them: 20
# VMs that wait for such a CA would keep all others from looking at their balancers.
THREADS = 64
AT_ONCE = 4  # of these for one kind of look at one back end


@dataclass(frozen=True, slots=True)
class _Look:
    started: float
    task: asyncio.Task[Any]

    def serves(self, max_age_s: float) -> bool:
        if not self.task.done():
            return True
        fresh = time.monotonic() - self.started < max_age_s
        return fresh and not self.task.cancelled() and self.task.exception() is None

    def is_stale(self, now: float) -> bool:
        return self.task.done() and now - self.started > KEPT_S


@dataclass(eq=False)
class _Looks:
    """What one event loop looks at."""

    known: dict[Hashable, _Look] = field(default_factory=dict)
    gates: dict[Hashable, asyncio.Semaphore] = field(default_factory=dict)
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(THREADS, thread_name_prefix="snowmelt-look")
    )

    async def take(self, kind: Hashable, look: Callable[[], object]) -> object:
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        async with self.gates.setdefault(kind, asyncio.Semaphore(AT_ONCE)):
            return await loop.run_in_executor(self.threads, context.run, look)


# by event loop: the triggerer has one, a task that waits without deferring brings its own
_LOOKS: dict[asyncio.AbstractEventLoop, _Looks] = {}


def _looks() -> _Looks:
    """Return those of the running loop; threads and looks of loops that have ended go."""
    loop = asyncio.get_running_loop()
    if loop not in _LOOKS:
        for ended in [each for each in _LOOKS if each.is_closed()]:
            _LOOKS.pop(ended).threads.shutdown(wait=False)
        _LOOKS[loop] = _Looks()
    return _LOOKS[loop]


async def shared(key: tuple[Hashable, ...], max_age_s: float, look: Callable[[], T]) -> T:
    """Return what *look* sees, from a look of the same *key* that is under *max_age_s* old.

    *look* blocks and runs in a thread. Looks of one key never overlap, and of one kind (*key* up to
    its second part, the Connection) at most `AT_ONCE` do: all triggers of a process together have
    few connections to a back end. An error goes to all who wait for that look and is not kept.
    """
    looks = _looks()
    seen = looks.known.get(key)
    if seen is None or not seen.serves(max_age_s):
        seen = _begin(looks, key, look)
    # shielded: a cancelled trigger must not take the look from the others
    return cast(T, await asyncio.shield(seen.task))


def _begin(looks: _Looks, key: tuple[Hashable, ...], look: Callable[[], object]) -> _Look:
    now = time.monotonic()
    for old in [old for old, each in looks.known.items() if each.is_stale(now)]:
        del looks.known[old]
    looks.known[key] = _Look(now, asyncio.create_task(looks.take(key[:2], look)))
    return looks.known[key]
