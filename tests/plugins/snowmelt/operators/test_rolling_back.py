"""Take back what a rolling rollout left unfinished."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from snowmelt.errors import Unreachable
from snowmelt.operators.identity import RetireIdentity
from snowmelt.operators.traffic import Drain, LeaveBalancer
from snowmelt.operators.vm import TerminateVm
from tests.plugins.snowmelt.kit import (
    NEW,
    OLD,
    Make,
    Ti,
    context,
    planned,
    roll_back,
    run,
    service,
    serving,
    two_old,
    vm_of,
)
from tests.plugins.snowmelt.world import FakeWorld


def half_way(world: FakeWorld) -> dict[str, Any]:
    """Let slot 0 be replaced, and the new VM of slot 1 serve beside the drained old one."""
    two_old(world)
    rollout: dict[str, Any] = planned(service(strategy="rolling", surge=1), release="1.1")
    serving(world, f"shop-{NEW}-0", "1.1")
    for kind in (Drain, LeaveBalancer, RetireIdentity, TerminateVm):
        run(partial(kind, task_id="t", rollout=rollout, vm=vm_of(rollout, "old")))
    serving(world, f"shop-{NEW}-1", "1.1")
    run(lambda: Drain(task_id="t", rollout=rollout, vm=vm_of(rollout, "old", 1)))
    world.story.clear()
    return rollout


def failed(place: int, step: str = "join_balancer") -> Any:
    return context(Ti(states={f"{step}_{place}": "failed"}))


def test_the_failed_one_goes_its_old_one_serves_again_and_the_whole_one_stays(
    world: FakeWorld, deferrable: bool
) -> None:
    rollout = half_way(world)
    run(roll_back(rollout, deferrable), failed(1))

    assert {n: m.admin for n, m in world.pools["shop"].items()} == {
        f"shop-{OLD}-1": "ready",
        f"shop-{NEW}-0": "ready",
    }
    assert [vm.phase for vm in world.vms.values()] == ["done", "running", "running", "done"]
    for known in (world.names, world.hosts, world.certificates):
        assert sorted(known) == [f"shop-{OLD}-1.lab.test", f"shop-{NEW}-0.lab.test"]
    assert world.story[0] == f"undrain shop-{OLD}-1"


def test_before_the_first_old_vm_is_gone_everything_goes_back(world: FakeWorld) -> None:
    two_old(world)
    rollout = planned(service(strategy="rolling", surge=1), release="1.1")
    serving(world, f"shop-{NEW}-0", "1.1")
    run(roll_back(rollout), failed(0))

    assert sorted(world.pools["shop"]) == [f"shop-{OLD}-0", f"shop-{OLD}-1"]
    assert [vm.phase for vm in world.vms.values()] == ["running", "running", "done"]


def test_an_old_vm_that_does_not_go_is_no_reason_to_take_its_successor_back(
    world: FakeWorld,
) -> None:
    rollout = half_way(world)
    before = world.everything()

    def make() -> Any:
        task = roll_back(rollout)()
        terminate = TerminateVm(
            task_id="terminate_vm", rollout=rollout, vm=vm_of(rollout, "old", 1), dag=task.dag
        )
        terminate >> task
        return task

    with pytest.raises(AirflowSkipException, match="nothing failed"):
        run(make, failed(1, "terminate_vm"))
    assert world.everything() == before


def test_a_second_run_of_it_changes_nothing(world: FakeWorld, deferrable: bool) -> None:
    make: Make = roll_back(half_way(world), deferrable)
    run(make, failed(1))
    before = world.everything()
    run(make, failed(1))

    assert world.everything() == before


@pytest.mark.parametrize(("place", "serves"), [(1, "ready"), (0, "drain")])
def test_while_the_ca_is_away_only_old_vms_of_what_failed_serve_again(
    world: FakeWorld, place: int, serves: str
) -> None:
    """A new VM that is whole stays, so the old one of its slot is not to serve beside it."""
    rollout = half_way(world)
    world.fail("certificate", Unreachable("connection refused"))
    ti = Ti(states={f"join_balancer_{place}": "failed"}, try_number=2)
    with pytest.raises(Unreachable):
        run(roll_back(rollout), context(ti))

    assert world.pools["shop"][f"shop-{OLD}-1"].admin == serves
