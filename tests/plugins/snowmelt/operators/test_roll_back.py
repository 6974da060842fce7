"""Undo a run that failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from snowmelt.errors import Busy, Conflict, Refused, SnowmeltError, Unreachable
from snowmelt.operators.identity import RetireIdentity
from snowmelt.operators.roll_back import RollBack
from snowmelt.operators.traffic import Drain, LeaveBalancer
from snowmelt.operators.vm import TerminateVm
from tests.plugins.snowmelt.kit import (
    FAILED,
    NEW,
    OLD,
    Ti,
    context,
    killed_while_waiting,
    planned,
    roll_back,
    run,
    service,
    serving,
    spec,
    two_old,
    vm_of,
)
from tests.plugins.snowmelt.world import FakeWorld, Guest


def failed_run(world: FakeWorld, *, drained: bool = False) -> dict[str, Any]:
    """Let two new VMs serve beside two old ones, which have been drained or not."""
    two_old(world)
    rollout: dict[str, Any] = planned(service(), release="1.1")
    for slot in (0, 1):
        serving(world, f"shop-{NEW}-{slot}", "1.1")
    if drained:
        for member in ("0", "1"):
            world.pools["shop"][f"shop-{OLD}-{member}"].admin = "drain"
    return rollout


def undo(rollout: dict[str, Any], deferrable: bool = True) -> None:
    run(roll_back(rollout, deferrable), context(Ti(states=FAILED)))


def as_before(world: FakeWorld) -> bool:
    """Whether the old VMs serve, and nothing else is left."""
    old = {f"shop-{OLD}-{slot}" for slot in (0, 1)}
    known = (world.hosts, world.names, world.nodes, world.certificates)
    return (
        {vm.spec.name for vm in world.vms.values() if vm.phase == "running"} == old
        and set(world.pools["shop"]) == old
        and all(m.admin == "ready" for m in world.pools["shop"].values())
        and all(set(names) == {f"{name}.lab.test" for name in old} for names in known)
    )


@pytest.mark.parametrize("drained", [True, False], ids=["old drained", "old serving"])
def test_a_failed_rollout_is_undone(world: FakeWorld, deferrable: bool, drained: bool) -> None:
    undo(failed_run(world, drained=drained), deferrable)

    assert as_before(world)


def test_the_old_vms_serve_again_before_a_new_one_is_touched(world: FakeWorld) -> None:
    undo(failed_run(world, drained=True))

    assert set(world.story[:2]) == {f"undrain shop-{OLD}-0", f"undrain shop-{OLD}-1"}
    assert set(world.story[2:4]) == {f"drain shop-{NEW}-0", f"drain shop-{NEW}-1"}


def test_the_new_vms_serve_on_while_the_old_ones_cannot(world: FakeWorld, deferrable: bool) -> None:
    rollout = failed_run(world, drained=True)
    world.guests["1.0"] = Guest(healthy=False)

    with pytest.raises(Refused, match="0 of the VMs from before serve < 2 needed"):
        undo(rollout, deferrable)
    new = [m for name, m in world.pools["shop"].items() if NEW in name]
    assert [m.admin for m in new] == ["ready", "ready"]


def test_old_vms_that_fail_their_check_at_that_moment_are_undrained(world: FakeWorld) -> None:
    """The new ones serve no more either: once the blip is over, somebody has to."""
    rollout = failed_run(world, drained=True)
    world.members_checked = False
    undo(rollout)
    world.members_checked = True

    assert as_before(world)


def test_an_old_vm_that_had_left_the_pool_gets_time_to_come_back(world: FakeWorld) -> None:
    rollout = failed_run(world)
    del world.pools["shop"][f"shop-{OLD}-0"]
    undo(rollout)

    assert as_before(world)
    assert world.story[0] == f"join shop-{OLD}-0"


def test_sessions_on_the_new_vms_end_before_they_go(world: FakeWorld) -> None:
    rollout, began = failed_run(world), world.clock.now
    undo(rollout)

    assert world.clock.now - began >= world.session_s


def test_undoing_twice_changes_nothing(world: FakeWorld) -> None:
    rollout = failed_run(world)
    undo(rollout)
    before = world.everything()
    undo(rollout)

    assert world.everything() == before


def test_killed_while_the_new_vms_drain(world: FakeWorld) -> None:
    rollout = failed_run(world, drained=True)
    killed_while_waiting(roll_back(rollout), context(Ti(states=FAILED)))
    undo(rollout)

    assert as_before(world)


def test_a_vm_that_still_boots_is_tried_again_until_it_goes(
    world: FakeWorld, deferrable: bool
) -> None:
    two_old(world)
    rollout = planned(service(), release="1.1")
    world.add_vm(spec(f"shop-{NEW}-0", "1.1"), phase="pending")
    undo(rollout, deferrable)

    assert world.vms[2].phase == "done"
    assert as_before(world)


def test_a_vm_that_stays_on_hold_goes_too(world: FakeWorld) -> None:
    two_old(world)
    rollout = planned(service(), release="1.1")
    world.add_vm(spec(f"shop-{NEW}-0", "1.1"), phase="held")
    undo(rollout)

    assert as_before(world)


def test_a_vm_that_never_goes_is_told_and_tried_again(world: FakeWorld) -> None:
    rollout = failed_run(world)
    world.fail("terminate", Busy("BOOT"), times=1000)

    ti = Ti(states=FAILED, start_date=datetime.fromtimestamp(world.clock.now, UTC))
    with pytest.raises(SnowmeltError, match=f"not gone: shop-{NEW}-0") as told:
        run(roll_back(rollout), context(ti))
    assert not isinstance(told.value, Refused)


def test_a_system_that_does_not_answer_just_now_is_asked_again(world: FakeWorld) -> None:
    """What it knows decides about the way back; to give up would leave the new VMs for good."""
    rollout = failed_run(world)
    world.fail("certificate", Unreachable("connection refused"), times=10)
    undo(rollout)

    assert as_before(world)


def test_one_that_stays_away_is_asked_for_a_quarter_of_an_hour_in_the_first_try(
    world: FakeWorld,
) -> None:
    """A run that is not undone has to be told of some time."""
    rollout, began = failed_run(world), world.clock.now
    world.fail("certificate", Unreachable("connection refused"), times=1000)
    ti = Ti(states=FAILED, start_date=datetime.fromtimestamp(began, UTC))
    with pytest.raises(Unreachable, match="connection refused"):
        run(roll_back(rollout), context(ti))
    assert 15 * 60 <= world.clock.now - began < 17 * 60

    began = world.clock.now
    with pytest.raises(Unreachable):
        run(roll_back(rollout), later_try(**FAILED))
    assert world.clock.now - began < 60


def later_try(**states: str) -> Any:
    """Return the context of a try that asks once: the first has asked for long enough."""
    return context(Ti(states=states, try_number=2))


@pytest.mark.parametrize("verb", ["health", "lookup"])
def test_monitoring_and_name_server_have_no_say_in_the_way_back(
    world: FakeWorld, verb: str
) -> None:
    """While they are away, old VMs do not stay drained."""
    rollout = failed_run(world, drained=True)
    world.fail(verb, Unreachable("connection refused"), times=1000)
    undo(rollout)

    assert as_before(world)


@pytest.mark.parametrize("verb", ["certificate", "vms_named"])
def test_while_ca_or_cloud_are_away_the_old_vms_serve_beside_the_new_ones(
    world: FakeWorld, verb: str
) -> None:
    """The rest of the way back waits for them; the balancer alone knows who is drained."""
    rollout = failed_run(world, drained=True)
    world.story.clear()
    world.fail(verb, Unreachable("connection refused"))
    with pytest.raises(Unreachable, match="connection refused"):
        run(roll_back(rollout), later_try(**FAILED))
    assert world.story == [f"undrain shop-{OLD}-0", f"undrain shop-{OLD}-1"]

    undo(rollout)
    assert as_before(world)


def test_a_balancer_that_is_away_too_is_asked_again(world: FakeWorld) -> None:
    rollout = failed_run(world, drained=True)
    world.fail("certificate", Unreachable("connection refused"), times=2)
    world.fail("members", Unreachable("connection refused"))
    undo(rollout)

    assert as_before(world)


def test_who_leaves_after_the_switch_stays_drained_while_the_ca_is_away(world: FakeWorld) -> None:
    """The new ones have passed the watch: the step that failed is cleared, and goes on."""
    rollout = failed_run(world, drained=True)
    world.story.clear()
    world.fail("certificate", Unreachable("connection refused"))
    with pytest.raises(Unreachable):
        run(roll_back(rollout), later_try(leave_balancer_1="failed"))

    assert world.story == []


def test_a_vm_that_somebody_drained_before_stays_so_while_the_ca_is_away(world: FakeWorld) -> None:
    two_old(world)
    world.pools["shop"][f"shop-{OLD}-1"].admin = "drain"
    rollout = planned(service(), release="1.1")
    world.story.clear()
    world.fail("certificate", Unreachable("connection refused"))
    with pytest.raises(Unreachable):
        run(roll_back(rollout), later_try(**FAILED))

    assert world.story == []


def test_connections_that_close_a_moment_later(world: FakeWorld, deferrable: bool) -> None:
    rollout = failed_run(world)
    world.idle_connections = 1
    undo(rollout, deferrable)

    assert as_before(world)


def test_connections_that_stay_are_an_error_that_is_tried_again(world: FakeWorld) -> None:
    """A second refusal: the VM is out of the pool by now, and the next try finds it so."""
    rollout = failed_run(world)
    world.idle_connections = 4

    with pytest.raises(Busy, match="has connections"):
        run(roll_back(rollout), context(Ti(states=FAILED)))
    assert f"terminate shop-{NEW}-0" not in world.story


@pytest.mark.parametrize(
    "states",
    [
        {"join_balancer_0": "success", "join_balancer_1": "skipped"},
        {"join_balancer_0": "success", "retire_identity_0": "failed"},
    ],
    ids=["all is well", "a later step failed"],
)
def test_where_nothing_before_it_failed_it_is_skipped(
    world: FakeWorld, states: dict[str, str]
) -> None:
    rollout = failed_run(world)
    before = world.everything()

    with pytest.raises(AirflowSkipException, match="nothing failed"):
        run(roll_back(rollout), context(Ti(states=states)))
    assert world.everything() == before


def test_a_system_that_does_not_answer_keeps_no_other_from_forgetting_the_vms(
    world: FakeWorld,
) -> None:
    """It is asked once for both VMs: each question may take until its time is up."""
    rollout = failed_run(world)
    world.fail("remove_certificate", Unreachable("the CA is away"))
    with pytest.raises(Unreachable, match=r"^the CA is away$"):
        undo(rollout)

    assert len([n for n in world.certificates if NEW in n]) == 2
    assert not [n for n in (*world.hosts, *world.names, *world.nodes) if NEW in n]
    undo(rollout)
    assert as_before(world)


def test_what_every_system_refuses_for_good_is_not_tried_again(world: FakeWorld) -> None:
    rollout = failed_run(world)
    world.fail("remove_address", Conflict("not yours"), times=2)

    with pytest.raises(Refused, match="not yours"):
        undo(rollout)


def test_a_vm_of_somebody_under_the_name_of_a_new_one_is_not_terminated(world: FakeWorld) -> None:
    rollout = failed_run(world)
    theirs = replace(spec(f"shop-{NEW}-0", "1.1"), service="", fqdn="")
    world.add_vm(theirs, phase="running")
    undo(rollout)

    assert [vm.phase for vm in world.vms.values()] == [*["running"] * 2, *["done"] * 2, "running"]


@pytest.mark.parametrize("verb", ["undrain", "drain", "remove_member", "remove_certificate"])
def test_it_goes_on_where_a_try_broke_off(world: FakeWorld, verb: str) -> None:
    rollout = failed_run(world, drained=True)
    world.lose_answer(verb, Unreachable("no answer"))
    with pytest.raises(Unreachable):
        undo(rollout)
    undo(rollout)

    assert as_before(world)


def retire_first_old(world: FakeWorld, rollout: dict[str, Any]) -> None:
    vm = vm_of(rollout, "old")
    for step in (Drain, LeaveBalancer, RetireIdentity, TerminateVm):
        run(lambda step=step: step(task_id="t", rollout=rollout, vm=vm))  # type: ignore[misc]


def test_after_the_point_of_no_return_it_refuses_with_the_reason(world: FakeWorld) -> None:
    rollout = failed_run(world)
    retire_first_old(world, rollout)
    before = world.everything()

    with pytest.raises(Refused, match=f"shop-{OLD}-0"):
        undo(rollout)
    assert world.everything() == before


def test_those_old_vms_that_are_whole_serve_again_though_one_has_gone(world: FakeWorld) -> None:
    """Somebody deleted it while all were drained: nothing can be undone, but they need not wait."""
    rollout = failed_run(world, drained=True)
    world.vms[0].phase = "done"

    with pytest.raises(Refused, match=f"shop-{OLD}-0 is gone"):
        undo(rollout)
    assert world.story == [f"undrain shop-{OLD}-1"]


def test_new_vms_that_fall_before_an_old_one_has_left_are_undone(world: FakeWorld) -> None:
    """The watch was over, `leave_balancer` saw that nothing else serves, and gave up."""
    rollout = failed_run(world, drained=True)
    for slot in (0, 1):
        world.pools["shop"][f"shop-{NEW}-{slot}"].admin = "maint"
    run(roll_back(rollout), context(Ti(states={"leave_balancer_0": "failed"})))

    assert as_before(world)


def test_a_step_that_failed_after_the_first_old_vm_was_gone_is_left_to_go_on(
    world: FakeWorld,
) -> None:
    """The new ones serve: it is cleared, and finds its VM drained as it was."""
    rollout = failed_run(world)
    retire_first_old(world, rollout)
    world.pools["shop"][f"shop-{OLD}-1"].admin = "drain"
    before = world.everything()

    with pytest.raises(Refused, match="no way back"):
        run(roll_back(rollout), context(Ti(states={"leave_balancer_1": "failed"})))
    assert world.everything() == before


def test_old_vms_come_back_at_the_port_that_they_had(world: FakeWorld) -> None:
    """The release came with another port in the file."""
    two_old(world)
    rollout = planned(service(balancer={"pool": "shop", "port": 8443}), release="1.1")
    world.pools["shop"][f"shop-{OLD}-0"].admin = "drain"
    del world.pools["shop"][f"shop-{OLD}-1"]
    undo(rollout)

    assert as_before(world)
    assert {member.port for member in world.pools["shop"].values()} == {8080}


def test_where_there_is_no_plan_it_is_skipped(world: FakeWorld) -> None:
    with pytest.raises(AirflowSkipException, match="no plan"):
        run(
            lambda: RollBack(task_id="t", rollout=None),
            context(Ti(states={"plan": "failed"})),
        )
