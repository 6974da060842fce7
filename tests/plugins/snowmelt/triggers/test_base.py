"""The wait loop: each edge of a wait, and what crosses the database."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from include.verdict import Verdict, done, failed, pending
from snowmelt.errors import Missing, Unreachable
from snowmelt.triggers import base
from snowmelt.triggers.base import PauseTrigger, WaitTrigger


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no event wait: these tests have the real clock."""
    monkeypatch.setattr(base, "EARLIEST_S", 0.0)


@dataclass(kw_only=True, eq=False, repr=False)
class Scripted(WaitTrigger):
    """Answers with what the test wrote down, one after the other."""

    interval: float = 0.001
    script: Iterator[Verdict | Exception] = field(default_factory=lambda: iter(()), init=False)
    looks: int = field(default=0, init=False)

    async def check(self) -> Verdict:
        self.looks += 1
        answer = next(self.script)
        if isinstance(answer, Exception):
            raise answer
        return answer


def scripted(*answers: Verdict | Exception, limit_s: float = 5.0) -> Scripted:
    trigger = Scripted(deadline=time.time() + limit_s)
    trigger.script = iter(answers)
    return trigger


async def events(trigger: WaitTrigger) -> list[dict[str, Any]]:
    return [event.payload async for event in trigger.run()]


async def test_fires_once_when_it_is_done() -> None:
    trigger = scripted(pending("not yet"), pending("not yet"), done("there"))

    assert await events(trigger) == [done("there").to_event()]
    assert trigger.looks == 3


async def test_no_event_comes_before_airflow_knows_that_the_process_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The task would be queued while its first process counts as running, and be killed."""
    monkeypatch.setattr(base, "EARLIEST_S", 0.2)
    trigger, began = scripted(done("there already")), time.monotonic()

    assert await events(trigger) == [done("there already").to_event()]
    assert time.monotonic() - began >= 0.2
    assert trigger.looks == 1


async def test_what_took_long_enough_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slept, sleep = list[float](), asyncio.sleep

    async def counted(seconds: float) -> None:
        slept.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", counted)
    monkeypatch.setattr(base, "EARLIEST_S", 0.2)
    trigger = scripted(*[pending("not yet")] * 3, done("there"))
    trigger.interval = 0.1

    await events(trigger)

    assert slept == [0.1, 0.1, 0.1, 0.0]


async def test_ends_at_once_when_it_is_hopeless() -> None:
    trigger = scripted(failed("gone"), done("never seen"))

    assert await events(trigger) == [failed("gone").to_event()]


async def test_goes_on_when_a_look_fails_for_a_passing_reason() -> None:
    trigger = scripted(Unreachable("refused"), Unreachable("refused"), done("there"))

    assert await events(trigger) == [done("there").to_event()]


async def test_ends_when_a_look_is_refused_for_good() -> None:
    assert await events(scripted(Missing("no pool shop"))) == [failed("no pool shop").to_event()]


async def test_says_what_was_missing_when_the_deadline_is_over() -> None:
    (event,) = await events(scripted(pending("VM 7 is PENDING"), limit_s=-1))

    assert event == failed("not within the deadline: VM 7 is PENDING").to_event()


async def test_deadline_holds_while_the_back_end_is_away() -> None:
    (event,) = await events(scripted(Unreachable("refused"), limit_s=-1))

    assert event["detail"] == "not within the deadline: cannot look: refused"


@pytest.mark.parametrize(("every_s", "told"), [(3600.0, ["0"]), (0.0, ["0", "1", "2"])])
async def test_what_changes_with_each_look_is_logged_once_in_a_while(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    every_s: float,
    told: list[str],
) -> None:
    """Each line costs Airflow's triggerer a round through its database."""
    monkeypatch.setattr(base, "TELL_S", every_s)

    await events(scripted(*(pending(f"healthy for {s} s") for s in range(3)), done("there")))

    assert re.findall(r"healthy for (\d) s", capsys.readouterr().out) == told


def test_fields_are_the_parameters() -> None:
    trigger = Scripted(deadline=7.5, interval=3.0)

    path, kwargs = trigger.serialize()

    assert path.endswith(".Scripted")
    assert kwargs == {"deadline": 7.5, "interval": 3.0}


async def test_a_pause_ends_at_its_time_and_is_never_a_failure() -> None:
    began = time.time()
    verdict = await PauseTrigger(deadline=began + 0.05, interval=0.01).wait()

    assert verdict.status == "done"
    assert time.time() >= began + 0.05
