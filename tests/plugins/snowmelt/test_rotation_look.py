"""One look at the rotation of a day, before the next decision."""

from __future__ import annotations

import time

import pytest

from include.fleet import Budget, RotationPlan, Turn
from include.fleet.standing import UNABLE, Standing
from snowmelt.errors import NotAllowed
from snowmelt.rotation_look import look_and_decide
from snowmelt.rotation_start import reader
from tests.plugins.snowmelt.world import FakeRun, FakeWorld

WIDE = Budget(services=10, vms_above_plan=100, vms_waiting=100, failures=3)
DAY = "2026-11-24"


def plan(*services: str) -> RotationPlan:
    now = time.time()
    turns = tuple(
        Turn(
            service=name,
            run_id=f"rotation__{DAY}__{name}",
            vms=2,
            slots=2,
            cloud="c",
            open=((now - 60, now + 600),),
        )
        for name in services
    )
    return RotationPlan(day=DAY, began=now, ends=now + 600, failures=3, turns=turns)


def let(world: FakeWorld, service: str, state: str) -> None:
    world.runs[f"rollout_{service}", f"rotation__{DAY}__{service}"] = FakeRun(conf={}, state=state)


@pytest.mark.parametrize(
    ("state", "active", "failed"),
    [("running", ("a", "b"), ()), ("success", ("b",), ()), ("failed", ("b",), ("a",))],
)
def test_a_failed_rollout_that_somebody_mends_has_not_failed(
    world: FakeWorld, state: str, active: tuple[str, ...], failed: tuple[str, ...]
) -> None:
    """It was cleared while others were under way."""
    let(world, "a", state)
    let(world, "b", "running")
    known = {"a": Standing(state="failed"), "b": Standing(state="running")}

    decision, standings = look_and_decide(plan("a", "b"), WIDE, known, time.time(), reader())

    assert (decision.active, decision.failed) == (active, failed)
    assert standings == {"a": Standing(state=state), "b": Standing(state="running")}


def test_what_ended_well_or_could_not_start_is_not_asked_for_again(world: FakeWorld) -> None:
    """Hundreds of services have ended by the end of a day."""
    known = {"a": Standing(state="success"), "b": Standing(state=UNABLE, why="paused")}

    decision, standings = look_and_decide(plan("a", "b"), WIDE, known, time.time(), reader())

    assert (decision.failed, decision.over, standings) == ((), True, known)
    assert world.calls == {}


def test_vms_on_an_opennebula_that_does_not_answer_all_wait(world: FakeWorld) -> None:
    """It costs the others nothing but the room in the budget."""
    let(world, "a", "running")
    world.fail("vm_states", NotAllowed("no longer yours"), times=2)
    narrow = Budget(services=10, vms_above_plan=100, vms_waiting=3, failures=3)
    known = {"a": Standing(state="running")}

    decision, _ = look_and_decide(plan("a", "b"), narrow, known, time.time(), reader())

    assert decision.held == {"b": "2 VMs wait for OpenNebula, and it needs 2"}
