"""A step that somebody marked as failed works on until it hears of it, beside the way back."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from snowmelt.operators.base import LATE
from snowmelt.operators.roll_back import RollBack
from snowmelt.triggers.base import PauseTrigger
from tests.plugins.snowmelt.kit import (
    NEW,
    OLD,
    Ti,
    context,
    planned,
    roll_back,
    run,
    service,
    serving,
    spec,
    two_old,
)
from tests.plugins.snowmelt.world import FakeMember, FakeWorld

FAILED = {"join_balancer_0": "failed"}
Late = Callable[[FakeWorld], None]


def switched(world: FakeWorld) -> dict[str, Any]:
    """Let the new VMs serve beside the old ones, none of which is drained yet."""
    two_old(world)
    rollout: dict[str, Any] = planned(service(), release="1.1")
    for slot in (0, 1):
        serving(world, f"shop-{NEW}-{slot}", "1.1")
    world.story.clear()
    return rollout


def drains(world: FakeWorld) -> None:
    for slot in (0, 1):
        world.pools["shop"][f"shop-{OLD}-{slot}"].admin = "drain"


def makes_a_vm(world: FakeWorld) -> None:
    world.add_vm(spec(f"shop-{NEW}-0", "1.1"), phase="running")


def joins(world: FakeWorld) -> None:
    world.pools["shop"][f"shop-{NEW}-0"] = FakeMember(address="198.18.0.102", port=8080)


@pytest.mark.parametrize(
    ("method", "late"),
    [
        ("go_back", drains),  # while it was told of the failure
        ("drain_new", drains),  # between the wait for the old ones and the drain of the new ones
        ("drained", drains),
        ("drained", makes_a_vm),
        ("forget", makes_a_vm),
        ("forget", joins),
        ("forget", drains),
    ],
)
def test_what_a_late_step_does_is_undone_too(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch, method: str, late: Late, deferrable: bool
) -> None:
    rollout = switched(world)
    as_it_is, done = getattr(RollBack, method), list[bool]()

    def after_it(self: RollBack, *args: Any, **given: Any) -> Any:
        if not done:
            late(world)
            done.append(True)
        return as_it_is(self, *args, **given)

    monkeypatch.setattr(RollBack, method, after_it)
    run(roll_back(rollout, deferrable), context(Ti(states=FAILED)))

    assert done
    members = {name: member.admin for name, member in world.pools["shop"].items()}
    assert members == {f"shop-{OLD}-0": "ready", f"shop-{OLD}-1": "ready"}
    assert [vm.spec.name for vm in world.vms.values() if vm.phase != "done"] == [
        f"shop-{OLD}-0",
        f"shop-{OLD}-1",
    ]


def test_the_new_ones_take_traffic_until_the_old_ones_do(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drain that came between the wait and the act: for a moment nobody would serve."""
    rollout = switched(world)
    drains(world)
    task = roll_back(rollout)()
    assert isinstance(task, RollBack)
    monkeypatch.setattr(task, "wait", lambda *_, **__: None)
    task.drain_new(context(Ti(states=FAILED)), {"status": "done", "detail": "", "retryable": False})

    assert world.story == [
        f"undrain shop-{OLD}-0",
        f"undrain shop-{OLD}-1",
        f"drain shop-{NEW}-0",
        f"drain shop-{NEW}-1",
    ]


def test_it_waits_as_long_as_a_late_step_may_take_to_hear_of_it(world: FakeWorld) -> None:
    """Airflow's tasks ask every 5 s whether they are still wanted."""
    rollout = switched(world)
    began = world.clock.now
    run(roll_back(rollout), context(Ti(states=FAILED)))

    assert world.clock.now - began >= LATE.total_seconds() >= 10


def test_a_step_that_is_told_to_end_does_so_in_the_middle_of_a_wait(world: FakeWorld) -> None:
    """Airflow calls `on_kill` in its handler of SIGTERM; without it a step acts on for 5 s."""
    task = roll_back(switched(world), deferrable=False)()
    never = PauseTrigger(deadline=world.clock.now + 1e9)
    before = signal.signal(signal.SIGUSR1, lambda *_: task.on_kill())
    told = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    told.start()
    try:
        with pytest.raises(SystemExit, match="given this try up"):
            task.wait(context(), never, then="go_back")
    finally:
        told.join()
        signal.signal(signal.SIGUSR1, before)
