"""Make a VM and remove it, whatever happened before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.catalogue import Service
from include.catalogue.requests import GRACE
from snowmelt.errors import Busy, Conflict, OutOfRoom, Refused, SnowmeltError, Unreachable
from snowmelt.operators.sweep import ClearLeftovers
from snowmelt.operators.vm import CreateVm, TerminateVm
from tests.plugins.snowmelt.kit import (
    NEW,
    OLD,
    killed_while_waiting,
    planned,
    run,
    service,
    serving,
    spec,
    vm_of,
)
from tests.plugins.snowmelt.world import FakeWorld, Guest

FIRST = f"shop-{NEW}-0"


def create(world: FakeWorld, deferrable: bool = True, of: Service | None = None) -> Any:
    rollout = planned(of or service())
    return lambda: CreateVm(
        task_id="t", rollout=rollout, vm=vm_of(rollout, "new"), deferrable=deferrable
    )


def test_a_new_vm_boots_and_its_address_is_returned(world: FakeWorld, deferrable: bool) -> None:
    made = run(create(world, deferrable))

    assert made == {"vm_id": 0, "address": "198.18.0.100"}
    assert world.vms[0].spec.name == FIRST
    assert world.vms[0].phase == "running"


def test_the_vm_is_made_as_the_catalogue_says_with_a_token_of_its_own(world: FakeWorld) -> None:
    run(create(world))

    spec = world.vms[0].spec
    assert (spec.template, spec.cpu, spec.memory_mb, spec.release) == ("t", 1, 256, "1.0")
    assert (spec.slot, spec.rollout, spec.fqdn) == (0, NEW, f"{FIRST}.lab.test")
    assert spec.context["SNOWMELT_TOKEN"]
    assert spec.context["SNOWMELT_TOKEN"] not in repr(spec)


def test_the_end_of_a_request_goes_with_the_vm_a_little_later(world: FakeWorld) -> None:
    """So that OpenNebula ends it where we do not, and never before us."""
    end = datetime.now(UTC) + timedelta(days=1)
    run(create(world, of=service(expires_at=end)))

    assert world.vms[0].spec.ends_at == int((end + GRACE).timestamp())


def test_a_second_run_finds_the_vm_of_the_first(world: FakeWorld, deferrable: bool) -> None:
    task = create(world, deferrable)
    before = run(task), world.everything()

    assert (run(task), world.everything()) == before


def test_killed_between_act_and_wait_it_goes_on_with_the_same_vm(world: FakeWorld) -> None:
    task = create(world)
    killed_while_waiting(task)

    assert run(task)["vm_id"] == 0
    assert len(world.vms) == 1


def test_the_answer_was_lost_after_the_vm_was_made(world: FakeWorld) -> None:
    world.lose_answer("ensure_vm", Unreachable("no answer"))
    task = create(world)
    with pytest.raises(Unreachable):
        run(task)

    assert run(task)["vm_id"] == 0
    assert len(world.vms) == 1


def test_a_vm_that_failed_to_boot_is_reported_then_replaced(
    world: FakeWorld, deferrable: bool
) -> None:
    world.guests["1.0"] = Guest(boots=False)
    task = create(world, deferrable)
    with pytest.raises(SnowmeltError, match="BOOT_FAILURE: no such image") as first:
        run(task)
    with pytest.raises(SnowmeltError, match="failed to start: no such image") as second:
        run(task)
    assert not isinstance(first.value, Refused)
    assert not isinstance(second.value, Refused)
    world.guests["1.0"] = Guest()

    assert run(task)["vm_id"] == 1
    assert world.vms[0].phase == "done"


def test_somebody_terminates_the_vm_while_it_boots(world: FakeWorld) -> None:
    task = create(world)

    def gone() -> None:
        world.vms[0].phase = "done"

    at(world, 2.0, gone)
    with pytest.raises(SnowmeltError, match="terminated by somebody"):
        run(task)


def test_somebody_terminates_the_vm_right_after_its_boot(world: FakeWorld) -> None:
    task = create(world)
    killed_while_waiting(task)
    event = {"status": "done", "detail": "it runs", "retryable": True}
    world.vms[0].phase = "done"

    with pytest.raises(SnowmeltError, match=f"{FIRST} ran and has gone"):
        task().execute_complete(None, event)


def test_the_cloud_has_no_room_now(world: FakeWorld) -> None:
    world.fail("ensure_vm", OutOfRoom("quota"))
    task = create(world)
    with pytest.raises(OutOfRoom):
        run(task)

    assert run(task)["vm_id"] == 0


def test_the_pool_is_away_for_a_while_during_the_boot(world: FakeWorld, deferrable: bool) -> None:
    world.fail("vm_states", Unreachable("refused"), times=3)

    assert run(create(world, deferrable))["vm_id"] == 0


def test_a_vm_that_never_leaves_boot_ends_with_the_deadline(world: FakeWorld) -> None:
    world.guests["1.0"] = Guest()
    task = create(world, of=service(opennebula={**CLOUD, "boot_deadline": "2s"}))

    with pytest.raises(SnowmeltError, match="not within the deadline"):
        run(task)


CLOUD = {"template": "t", "cpu": 1, "vcpu": 1, "memory_mb": 256}


def terminate(world: FakeWorld, deferrable: bool = True) -> Any:
    serving(world, f"shop-{OLD}-0")
    serving(world, f"shop-{OLD}-1")
    rollout = planned(service())
    del world.pools["shop"][f"shop-{OLD}-0"]
    return lambda: TerminateVm(
        task_id="t", rollout=rollout, vm=vm_of(rollout, "old"), deferrable=deferrable
    )


def test_a_vm_outside_the_pool_shuts_down(world: FakeWorld, deferrable: bool) -> None:
    run(terminate(world, deferrable))

    assert world.vms[0].phase == "done"
    assert world.story == [f"terminate shop-{OLD}-0"]


def test_a_guest_that_ignores_the_shutdown_loses_its_plug(
    world: FakeWorld, deferrable: bool
) -> None:
    world.guests["1.0"] = Guest(listens=False)

    run(terminate(world, deferrable))

    assert world.vms[0].phase == "done"
    assert world.story == [f"terminate shop-{OLD}-0", f"terminate hard shop-{OLD}-0"]


def test_a_vm_that_is_gone_is_done(world: FakeWorld, deferrable: bool) -> None:
    task = terminate(world, deferrable)
    run(task)
    before = world.everything()

    run(task)

    assert world.everything() == before


def test_killed_while_the_vm_shuts_down_it_waits_on(world: FakeWorld) -> None:
    task = terminate(world)
    killed_while_waiting(task)

    run(task)

    assert world.story == [f"terminate shop-{OLD}-0"]


def test_a_vm_in_the_pool_is_not_terminated(world: FakeWorld) -> None:
    serving(world, f"shop-{OLD}-0")
    serving(world, f"shop-{OLD}-1")
    rollout = planned(service())

    with pytest.raises(Conflict, match=f"shop-{OLD}-0 is in pool shop again"):
        run(lambda: TerminateVm(task_id="t", rollout=rollout, vm=vm_of(rollout, "old")))
    assert world.vms[0].phase == "running"


def test_a_service_without_balancer_just_shuts_down(world: FakeWorld) -> None:
    alone = service(balancer=None, replicas=1)
    vm = serving(world, f"shop-{OLD}-0")
    rollout = planned(alone)

    run(lambda: TerminateVm(task_id="t", rollout=rollout, vm=vm_of(rollout, "old")))

    assert vm.phase == "done"
    assert world.calls["members"] == 0


def at(world: FakeWorld, after_s: float, happens: Callable[[], None]) -> None:
    """Let something happen once that much time has passed."""
    due, tick = world.clock.now + after_s, world.tick

    def ticking() -> None:
        tick()
        if world.clock.now >= due:
            happens()

    world.tick = ticking  # type: ignore[method-assign]


def test_no_vm_is_made_where_there_is_no_room(world: FakeWorld) -> None:
    task = create(world)
    for slot in range(4):
        world.add_vm(spec(f"shop-{OLD}-{slot}", "1.0"), phase="stopping")

    with pytest.raises(Busy, match="4 VMs exist, 4 are allowed"):
        run(task)
    assert len(world.vms) == 4


def test_a_leftover_goes_by_its_id_and_leaves_its_name_to_the_next_try(world: FakeWorld) -> None:
    world.add_vm(spec(FIRST, "1.0"), phase="failed")
    rollout = planned(service())
    assert [vm["name"] for vm in rollout["plan"]["leftovers"]] == [FIRST]
    run(lambda: ClearLeftovers(task_id="t", rollout=rollout))

    made = run(lambda: CreateVm(task_id="t", rollout=rollout, vm=vm_of(rollout, "new")))

    assert made["vm_id"] == 1
    run(lambda: ClearLeftovers(task_id="t", rollout=rollout))
    assert world.vms[1].phase == "running"
