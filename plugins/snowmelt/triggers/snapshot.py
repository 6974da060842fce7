"""One look per back end and interval, shared by all triggers of a process.

A thousand VMs that wait for OpenNebula cost one call per interval, not a thousand: a real oned
serves 15 connections at a time and closes each after one call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

T = TypeVar("T")

# No look serves for longer than its interval, 5 s at most. Most keys name a VM or a rollout, which
# nobody asks for again: a triggerer would hold them all, 1,000 VMs a day, for as long as it runs.
KEPT_S = 60.0


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


# by event loop: the triggerer has one, a task that waits without deferring brings its own
_LOOKS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, _Look]] = WeakKeyDictionary()


async def shared(key: Hashable, max_age_s: float, look: Callable[[], T]) -> T:
    """Return what *look* sees, from a look of the same *key* that is under *max_age_s* old.

    *look* blocks and runs in a thread. Looks of one key never overlap, so one back end has at
    most one connection from all the triggers of a process. An error goes to all who wait for
    that look and is not kept.
    """
    looks = _LOOKS.setdefault(asyncio.get_running_loop(), {})
    known = looks.get(key)
    if known is None or not known.serves(max_age_s):
        known = _begin(looks, key, look)
    # shielded: a cancelled trigger must not take the look from the others
    return cast(T, await asyncio.shield(known.task))


def _begin(looks: dict[Hashable, _Look], key: Hashable, look: Callable[[], object]) -> _Look:
    now = time.monotonic()
    for old in [old for old, each in looks.items() if each.is_stale(now)]:
        del looks[old]
    looks[key] = _Look(now, asyncio.create_task(asyncio.to_thread(look)))
    return looks[key]
