"""Join, drain and leave the balancer, so that no client notices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from snowmelt.errors import Busy, Conflict, Missing, Refused, SnowmeltError, Unreachable
from snowmelt.operators.traffic import Drain, JoinBalancer, LeaveBalancer
from snowmelt.triggers.traffic import DrainedTrigger, MayDrainTrigger
from tests.plugins.snowmelt.kit import (
    NEW,
    OLD,
    Make,
    context,
    killed_while_waiting,
    planned,
    run,
    service,
    serving,
    two_old,
    vm_of,
)
from tests.plugins.snowmelt.world import FakeWorld, Guest

FIRST_OLD, FIRST_NEW = f"shop-{OLD}-0", f"shop-{NEW}-0"


def join(world: FakeWorld, deferrable: bool = True) -> Make:
    rollout = planned(service())
    vm = serving(world, FIRST_NEW)
    world.pools["shop"].clear()
    made = {"vm_id": vm.vm_id, "address": vm.address}
    return lambda: JoinBalancer(
        task_id="t", rollout=rollout, vm=vm_of(rollout, "new"), made=made, deferrable=deferrable
    )


def test_a_vm_joins_and_serves(world: FakeWorld, deferrable: bool) -> None:
    run(join(world, deferrable))

    assert world.pools["shop"][FIRST_NEW].address == "198.18.0.100"
    assert world.pools["shop"][FIRST_NEW].port == 8080
    assert world.story == [f"join {FIRST_NEW}"]


def test_joining_twice_changes_nothing(world: FakeWorld, deferrable: bool) -> None:
    task = join(world, deferrable)
    run(task)
    before = world.everything()
    run(task)

    assert world.everything() == before


def test_a_vm_without_a_name_does_not_join(world: FakeWorld) -> None:
    """Somebody has removed it since it was published: a member is always in DNS."""
    task = join(world)
    world.names.clear()

    with pytest.raises(Busy, match="is not in DNS"):
        run(task)

    assert world.pools["shop"] == {}


def test_a_vm_that_has_gone_does_not_join(world: FakeWorld) -> None:
    task = join(world)
    world.vms.clear()

    with pytest.raises(Refused, match="does not exist"):
        run(task)


def test_killed_between_join_and_wait(world: FakeWorld) -> None:
    task = join(world)
    world.members_checked = False
    killed_while_waiting(task)
    world.members_checked = True
    run(task)

    assert world.story == [f"join {FIRST_NEW}"]


def test_a_member_that_is_up_at_once_costs_no_second_pass(world: FakeWorld) -> None:
    """A short wait stays in its worker."""
    join(world)().execute(context())

    assert world.pools["shop"][FIRST_NEW].was_up


def test_a_member_of_our_name_that_is_somebody_elses(world: FakeWorld) -> None:
    task = join(world)
    serving(world, f"shop-{OLD}-1")
    world.pools["shop"][FIRST_NEW] = world.pools["shop"].pop(f"shop-{OLD}-1")

    with pytest.raises(Conflict):
        run(task)


def test_a_vm_whose_health_check_never_passes(world: FakeWorld, deferrable: bool) -> None:
    world.members_checked = False

    with pytest.raises(SnowmeltError, match=f"{FIRST_NEW} is starting in pool shop"):
        run(join(world, deferrable))


def test_a_pool_that_does_not_exist(world: FakeWorld) -> None:
    task = join(world)
    del world.pools["shop"]

    with pytest.raises(Missing):
        run(task)


def switched(world: FakeWorld, **changes: Any) -> dict[str, Any]:
    """Let two new VMs serve beside two old ones; return the rollout."""
    two_old(world)
    rollout: dict[str, Any] = planned(service(**changes), release="1.1")
    for slot in (0, 1):
        serving(world, f"shop-{NEW}-{slot}", "1.1")
    return rollout


def drain(rollout: dict[str, Any], deferrable: bool = True) -> Make:
    vm = vm_of(rollout, "old")
    return lambda: Drain(task_id="t", rollout=rollout, vm=vm, deferrable=deferrable)


def test_an_old_vm_drains_until_its_sessions_have_ended(world: FakeWorld, deferrable: bool) -> None:
    task, began = drain(switched(world), deferrable), world.clock.now
    run(task)

    assert world.story == [f"drain {FIRST_OLD}"]
    assert world.session_s <= world.clock.now - began < 60


def test_draining_twice_changes_nothing(world: FakeWorld, deferrable: bool) -> None:
    task = drain(switched(world), deferrable)
    run(task)
    before = world.everything()
    run(task)

    assert world.everything() == before


def test_killed_while_the_old_vm_drains(world: FakeWorld) -> None:
    task = drain(switched(world))
    killed_while_waiting(task)
    run(task)

    assert world.story == [f"drain {FIRST_OLD}"]


def test_no_drain_while_the_others_cannot_carry_the_service(
    world: FakeWorld, deferrable: bool
) -> None:
    rollout = switched(world)
    world.guests["1.1"] = Guest(healthy=False)

    with pytest.raises(SnowmeltError, match=f"shop-{NEW}-0 does not serve yet"):
        run(drain(rollout, deferrable))
    assert world.story == []


def test_no_drain_before_the_new_vms_have_settled(world: FakeWorld) -> None:
    rollout = switched(world)
    for slot in (0, 1):
        world.pools["shop"][f"shop-{NEW}-{slot}"].up_at = world.clock.now
    began = world.clock.now
    run(drain(rollout))

    member = world.pools["shop"][FIRST_OLD]
    assert member.drained_at - began >= 5


@pytest.mark.parametrize(
    ("settle_s", "story", "waits_for"),
    [(5, [f"drain {FIRST_OLD}"], DrainedTrigger), (6, [], MayDrainTrigger)],
)
def test_only_a_long_time_to_settle_gives_the_worker_back(
    world: FakeWorld, settle_s: int, story: list[str], waits_for: type
) -> None:
    rollout = switched(world, watch={"settle": f"{settle_s}s"})
    for slot in (0, 1):
        world.pools["shop"][f"shop-{NEW}-{slot}"].up_at = world.clock.now

    with pytest.raises(TaskDeferred) as deferred:
        drain(rollout)().execute(context())

    assert isinstance(deferred.value.trigger, waits_for)
    assert world.story == story


def test_sessions_that_never_end_are_cut_at_the_deadline(
    world: FakeWorld, deferrable: bool
) -> None:
    world.session_s = 10_000
    began = world.clock.now
    run(drain(switched(world), deferrable))

    assert 60 <= world.clock.now - began < 70


def test_sessions_that_may_not_be_cut_stop_the_rollout(world: FakeWorld, deferrable: bool) -> None:
    world.session_s = 10_000
    drains = {"deadline": "60s", "idle": "10s", "on_deadline": "stop"}

    with pytest.raises(Refused, match=r"drain deadline: .* still has 3 sessions"):
        run(drain(switched(world, drain=drains), deferrable))


def test_an_old_vm_that_is_in_no_pool_any_more(world: FakeWorld) -> None:
    rollout = switched(world)
    del world.pools["shop"][FIRST_OLD]
    run(drain(rollout))

    assert world.story == []


def test_somebody_ends_the_drain_by_hand(world: FakeWorld) -> None:
    task = drain(switched(world))
    world.session_s = 10_000
    turn = world.tick

    def undrained() -> None:
        turn()
        member = world.pools["shop"][FIRST_OLD]
        if member.admin == "drain" and world.clock.now > member.drained_at + 3:
            member.admin = "ready"

    world.tick = undrained  # type: ignore[method-assign]

    with pytest.raises(Refused, match="somebody ended its drain"):
        run(task)


def test_the_balancer_is_away_for_a_while_during_the_drain(world: FakeWorld) -> None:
    task = drain(switched(world))
    killed_while_waiting(task)
    world.fail("members", Unreachable("reloading"), times=1)
    with pytest.raises(Unreachable):
        run(task)
    run(task)

    assert world.pools["shop"][FIRST_OLD].admin == "drain"


def leave(rollout: dict[str, Any], deferrable: bool = True) -> Make:
    vm = vm_of(rollout, "old")
    return lambda: LeaveBalancer(task_id="t", rollout=rollout, vm=vm, deferrable=deferrable)


def test_a_drained_vm_leaves_the_pool(world: FakeWorld, deferrable: bool) -> None:
    rollout = switched(world)
    run(drain(rollout))
    run(leave(rollout, deferrable))

    assert FIRST_OLD not in world.pools["shop"]
    assert len(world.pools["shop"]) == 3


def test_leaving_twice_changes_nothing(world: FakeWorld) -> None:
    rollout = switched(world)
    run(drain(rollout))
    run(leave(rollout))
    before = world.everything()
    run(leave(rollout))

    assert world.everything() == before


def test_idle_connections_get_a_second_to_close(world: FakeWorld, deferrable: bool) -> None:
    rollout = switched(world)
    run(drain(rollout))
    world.idle_connections = 1
    run(leave(rollout, deferrable))

    assert FIRST_OLD not in world.pools["shop"]


def test_a_vm_that_serves_again_stays_in_the_pool(world: FakeWorld) -> None:
    with pytest.raises(Busy, match=f"{FIRST_OLD} stays in pool shop: .* drain it first"):
        run(leave(switched(world)))
    assert FIRST_OLD in world.pools["shop"]


def test_a_vm_of_no_plan_is_refused_for_good(world: FakeWorld) -> None:
    """Nothing that may pass: no try of this step may ever touch it."""
    rollout = switched(world)
    vm = vm_of(rollout, "old")
    run(drain(rollout))
    rollout["plan"]["old"] = []

    with pytest.raises(Refused, match=f"{FIRST_OLD} stays in pool shop: .* is not in the plan"):
        run(lambda: LeaveBalancer(task_id="t", rollout=rollout, vm=vm))
    assert FIRST_OLD in world.pools["shop"]


def test_an_old_vm_stays_while_the_others_cannot_carry_the_service(world: FakeWorld) -> None:
    rollout = switched(world)
    run(drain(rollout))
    world.guests["1.1"] = Guest(healthy=False)

    with pytest.raises(Busy, match="0 others serve < 2 needed"):
        run(leave(rollout))
    assert FIRST_OLD in world.pools["shop"]


def test_a_service_without_balancer_has_nothing_to_do(world: FakeWorld) -> None:
    rollout = switched(world)
    rollout["service"]["balancer"] = None
    vm, made = vm_of(rollout, "old"), {"vm_id": 0, "address": "a"}
    before = world.everything()
    world.calls.clear()
    run(lambda: JoinBalancer(task_id="t", rollout=rollout, vm=vm, made=made))
    run(lambda: Drain(task_id="t", rollout=rollout, vm=vm))
    run(lambda: LeaveBalancer(task_id="t", rollout=rollout, vm=vm))

    assert world.everything() == before
    assert world.calls == {"facts": 1}  # it is compared with its successor all the same


def test_a_vm_that_leaves_tells_what_is_lost_with_it(world: FakeWorld) -> None:
    """Beside its leave: errors since the plan, and what only it has."""
    rollout = switched(world)
    run(drain(rollout))
    rollout["errors"] = {FIRST_OLD: 0}
    new = vm_of(rollout, "new")["name"]
    installed = {"shop-app": "1.1"}
    for name, packages in ((FIRST_OLD, {**installed, "nmap": "7.93"}), (new, installed)):
        world.facts[f"{name}.lab.test"] = {"snowmelt_inventory": {"packages": packages}}

    told = run(leave(rollout))

    assert told["name"] == FIRST_OLD
    assert told["differences"] == {new: ["package nmap 7.93: on the old VM only"]}
    assert told["failures"] == 0
    assert datetime.fromisoformat(told["left"]).tzinfo is UTC


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ({"errors": 0, "requests": 1}, {"failures": 0}),
        (0, {"failures": 0}),
        ({"errors": 0, "requests": 10**9}, {"restarted": True}),
        ({"errors": 1, "requests": 0}, {"restarted": True}),
        (1, {"restarted": True}),
    ],
    ids=["counted", "plan of before", "fewer requests", "fewer errors", "fewer, plan of before"],
)
def test_failures_are_not_counted_over_a_restart_of_the_balancer(
    world: FakeWorld, before: Any, told: dict[str, Any]
) -> None:
    """It begins at 0 again, and what clients met before is lost: 0 would be a lie."""
    rollout = switched(world)
    run(drain(rollout))
    rollout["errors"] = {FIRST_OLD: before}

    found = run(leave(rollout))

    assert {key: found[key] for key in ("failures", "restarted") if key in found} == told


def test_a_new_vm_that_told_nothing_since_its_puppet_run_is_not_compared(world: FakeWorld) -> None:
    """Its facts from before the run lack the release: that says nothing of the old VM."""
    rollout = switched(world)
    run(drain(rollout))
    new = vm_of(rollout, "new")["name"]
    for name, packages in ((FIRST_OLD, {"shop-app": "1.0"}), (new, {})):
        world.facts[f"{name}.lab.test"] = {"snowmelt_inventory": {"packages": packages}}

    assert "differences" not in run(leave(rollout))


@pytest.mark.parametrize("silent", [(0,), (1,), (0, 1)])
def test_vms_that_do_not_both_tell_what_is_installed_are_not_compared(
    world: FakeWorld, silent: tuple[int, ...]
) -> None:
    """Nothing would pass for no differences."""
    rollout = switched(world)
    run(drain(rollout))
    for number, name in enumerate((FIRST_OLD, vm_of(rollout, "new")["name"])):
        told = {"snowmelt_inventory": {"packages": {"shop-app": "1.1"}}}
        world.facts[f"{name}.lab.test"] = {"timezone": "UTC"} | ({} if number in silent else told)

    assert "differences" not in run(leave(rollout))


def test_a_puppetdb_that_is_away_does_not_keep_a_vm_from_leaving(world: FakeWorld) -> None:
    rollout = switched(world)
    run(drain(rollout))
    world.fail("facts", Unreachable("away"))

    told = run(leave(rollout))

    assert "differences" not in told
    assert FIRST_OLD not in world.pools["shop"]
