"""Wait for the turn of a replacement, then make its VM."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from include.catalogue import Service
from snowmelt.errors import Refused
from snowmelt.operators.step import as_pairs
from snowmelt.operators.turn import CreateVmInTurn
from snowmelt.triggers.turn import MyTurnTrigger
from tests.plugins.snowmelt.kit import NEW, OLD, Make, Ti, context, planned, run, service, two_old
from tests.plugins.snowmelt.kit import serving as add_serving
from tests.plugins.snowmelt.world import FakeWorld

ONE_AT_A_TIME = {"strategy": "rolling", "surge": 1}


def create(
    world: FakeWorld, place: int, deferrable: bool = True, of: Service | None = None, **wanted: Any
) -> Make:
    """Return what makes the VM of one replacement of a rollout to release 1.1."""
    rollout = planned(of or service(**ONE_AT_A_TIME), **{"release": "1.1", **wanted})
    make = CreateVmInTurn(task_id="t", rollout=rollout, vm=None, old=None)
    pair = as_pairs(make.plan)[place]
    return lambda: CreateVmInTurn(
        task_id="t", rollout=rollout, vm=pair["new"], old=pair["old"], deferrable=deferrable
    )


def at(world: FakeWorld, after_s: float, happens: Any) -> None:
    """Let something happen some seconds from now."""
    turn, due = world.tick, world.clock.now + after_s

    def tick() -> None:
        if world.clock.now >= due:
            world.tick = turn  # type: ignore[method-assign]
            happens()
        turn()

    world.tick = tick  # type: ignore[method-assign]


def test_the_first_one_is_made_at_once(world: FakeWorld, deferrable: bool) -> None:
    two_old(world)

    assert run(create(world, 0, deferrable)) == {"vm_id": 2, "address": "198.18.0.102"}


def test_the_second_one_is_made_when_the_first_is_whole(world: FakeWorld, deferrable: bool) -> None:
    two_old(world)
    make = create(world, 1, deferrable)

    def whole() -> None:
        world.vms[0].phase = "done"
        del world.pools["shop"][f"shop-{OLD}-0"]
        add_serving(world, f"shop-{NEW}-0", "1.1")
        world.story.append("whole")

    at(world, 300, whole)
    run(make)

    assert world.story == ["whole", f"create shop-{NEW}-1"]


def test_whoever_waits_holds_no_worker_and_uses_up_no_try(world: FakeWorld) -> None:
    two_old(world)
    make = create(world, 1)

    with pytest.raises(TaskDeferred) as deferred:
        make().execute(context())

    assert isinstance(deferred.value.trigger, MyTurnTrigger)
    assert deferred.value.method_name == "my_turn"
    assert world.story == []


def test_a_step_that_fails_meanwhile_stops_the_window(
    world: FakeWorld, deferrable: bool, failed_steps: list[str]
) -> None:
    two_old(world)
    make = create(world, 1, deferrable)
    at(world, 60, lambda: failed_steps.append("replace.watch_0"))

    with pytest.raises(Refused, match=r"does not start: replace\.watch_0 failed"):
        run(make)
    assert world.story == []


def test_after_a_failure_nothing_begins_though_it_would_be_its_turn(world: FakeWorld) -> None:
    two_old(world)
    ti = Ti(states={"join_balancer_7": "upstream_failed"})

    with pytest.raises(Refused, match="join_balancer_7 failed, and the window has stopped"):
        run(create(world, 0), context(ti))
    assert world.story == []


def test_a_window_in_which_nothing_moves_is_given_up(world: FakeWorld, deferrable: bool) -> None:
    two_old(world)
    began = world.clock.now

    with pytest.raises(Refused, match=f"nothing moves: shop-{NEW}-1 waits for the canary"):
        run(create(world, 1, deferrable))
    assert 1800 < world.clock.now - began < 6 * 3600


def test_where_a_vm_only_goes_its_turn_is_all_there_is(world: FakeWorld, deferrable: bool) -> None:
    two_old(world)
    of = service(strategy="rolling", max_unavailable=1)

    with pytest.raises(AirflowSkipException, match=f"shop-{OLD}-0 goes, and no VM comes for it"):
        run(create(world, 0, deferrable, of))
    assert world.story == []
