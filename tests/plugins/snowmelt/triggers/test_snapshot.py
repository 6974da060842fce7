"""One look per back end and interval, whatever number of triggers wait."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref

import pytest

from snowmelt.errors import Unreachable
from snowmelt.triggers import snapshot
from snowmelt.triggers.snapshot import shared


class Result:
    """What a look saw."""


class BackEnd:
    """Counts how often it is asked, and how often at once."""

    def __init__(self, takes_s: float = 0.02) -> None:
        self.calls = self.at_once = self.peak = 0
        self.takes_s = takes_s

    def look(self) -> int:
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)
        time.sleep(self.takes_s)
        self.at_once -= 1
        self.calls += 1
        return self.calls


async def test_a_hundred_who_wait_cost_one_call() -> None:
    back_end = BackEnd()

    seen = await asyncio.gather(*[shared(("a",), 1.0, back_end.look) for _ in range(100)])

    assert (back_end.calls, set(seen)) == (1, {1})


async def test_looks_of_one_back_end_never_overlap() -> None:
    back_end = BackEnd()

    async def poll() -> None:
        for _ in range(5):
            await shared(("b",), 0.0, back_end.look)

    await asyncio.gather(*[poll() for _ in range(20)])

    assert back_end.peak == 1
    assert back_end.calls >= 5


async def test_a_look_that_is_too_old_is_not_served_again() -> None:
    back_end = BackEnd(takes_s=0)
    await shared(("c",), 0.05, back_end.look)
    await asyncio.sleep(0.06)

    assert await shared(("c",), 0.05, back_end.look) == 2


async def test_looks_of_vms_that_nobody_asks_for_any_more_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshot, "KEPT_S", 0.05)
    slow = asyncio.create_task(shared(("certificate", "slow"), 0.0, BackEnd(0.3).look))
    results = [Result() for _ in range(100)]
    held = [weakref.ref(result) for result in results]
    for number in range(100):
        await shared(("certificate", number), 0.0, results.pop)
    assert [ref for ref in held if ref()]
    await asyncio.sleep(0.06)

    await shared(("certificate", "one more"), 0.0, BackEnd(0).look)
    gc.collect()

    assert [ref for ref in held if ref()] == []
    assert await slow == 1  # what somebody waits for stays


async def test_an_error_reaches_all_who_wait_and_is_forgotten() -> None:
    answers = iter([Unreachable("no answer")])

    def look() -> str:
        time.sleep(0.01)
        for error in answers:
            raise error
        return "back"

    first = await asyncio.gather(
        *[shared(("d",), 9, look) for _ in range(3)], return_exceptions=True
    )

    assert [type(e) for e in first] == [Unreachable] * 3
    assert await shared(("d",), 9, look) == "back"


async def test_one_that_gives_up_does_not_take_the_look_from_the_others() -> None:
    back_end = BackEnd(takes_s=0.1)
    impatient = asyncio.create_task(shared(("e",), 1.0, back_end.look))
    patient = asyncio.create_task(shared(("e",), 1.0, back_end.look))
    await asyncio.sleep(0.02)
    impatient.cancel()

    assert await patient == 1
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_a_system_that_hangs_keeps_nobody_from_looking_at_another() -> None:
    """Each of 40 VMs has a key of its own at a CA that answers nobody."""
    stuck = BackEnd(takes_s=0.5)
    hung = [asyncio.create_task(shared(("ca", "c", n), 0.0, stuck.look)) for n in range(40)]
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await shared(("pool", "c", "shop"), 0.0, BackEnd(0).look)

    assert time.monotonic() - began < 0.3
    assert stuck.peak == snapshot.AT_ONCE
    for each in hung:
        each.cancel()


def test_what_ended_loops_looked_at_is_kept_no_longer() -> None:
    """Each task that waits in place has a loop, and so has each wait of a test."""
    before = set(threading.enumerate())
    for _ in range(20):
        asyncio.run(shared(("pool", "c", "shop"), 0.0, BackEnd(0).look))

    assert len([loop for loop in snapshot._LOOKS if loop.is_closed()]) == 1
    assert len(set(threading.enumerate()) - before) < 5  # one, and those that are just ending
