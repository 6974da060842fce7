"""Watch the new VMs under traffic."""

from __future__ import annotations

from typing import Any

import pytest

from snowmelt.errors import Refused, Unreachable
from snowmelt.operators.watch import Watch, WatchVm
from tests.plugins.snowmelt.kit import (
    NEW,
    OLD,
    Make,
    killed_while_waiting,
    planned,
    run,
    service,
    serving,
    two_old,
    vm_of,
)
from tests.plugins.snowmelt.world import FakeWorld, Guest


def switched(world: FakeWorld, **wanted: Any) -> dict[str, Any]:
    """Let two new VMs of 1.1 serve beside two old ones; return the rollout."""
    two_old(world)
    rollout: dict[str, Any] = planned(service(), release="1.1", **wanted)
    for slot in (0, 1):
        serving(world, f"shop-{NEW}-{slot}", "1.1")
    return rollout


def watch(rollout: dict[str, Any], stage: Any = "drained", deferrable: bool = True) -> Make:
    return lambda: Watch(task_id="t", rollout=rollout, stage=stage, deferrable=deferrable)


@pytest.mark.parametrize(("stage", "duration_s"), [("canary", 10), ("drained", 20)])
def test_healthy_vms_are_watched_for_the_whole_time(
    world: FakeWorld, deferrable: bool, stage: str, duration_s: int
) -> None:
    rollout, began = switched(world), world.clock.now
    old = run(watch(rollout, stage, deferrable))

    assert duration_s <= world.clock.now - began < duration_s + 2
    assert [vm["name"] for vm in old] == [f"shop-{OLD}-0", f"shop-{OLD}-1"]


def test_watching_changes_nothing(world: FakeWorld) -> None:
    rollout = switched(world)
    before = world.everything()
    run(watch(rollout))

    assert world.everything() == before


def test_a_release_that_answers_with_errors_under_load(world: FakeWorld, deferrable: bool) -> None:
    rollout = switched(world)
    world.guests["1.1"] = Guest(error_share=0.02)

    with pytest.raises(Refused, match="requests with errors"):
        run(watch(rollout, deferrable=deferrable))


def test_errors_from_before_the_watch_do_not_count(world: FakeWorld) -> None:
    rollout = switched(world)
    world.guests["1.1"] = Guest(error_share=0.02)
    task = watch(rollout)
    turn, began = world.tick, world.clock.now

    def mended() -> None:
        turn()
        if world.clock.now > began:
            world.guests["1.1"] = Guest()

    world.tick = mended  # type: ignore[method-assign]
    run(task)


def test_a_vm_that_falls_ill_while_it_is_watched(world: FakeWorld, deferrable: bool) -> None:
    rollout = switched(world)
    turn, began = world.tick, world.clock.now

    def fall_ill() -> None:
        if world.clock.now > began + 5:
            world.guests["1.1"] = Guest(healthy=False)
        turn()

    world.tick = fall_ill  # type: ignore[method-assign]

    with pytest.raises(Refused, match=f"shop-{NEW}-0 is down in pool shop"):
        run(watch(rollout, deferrable=deferrable))
    assert world.clock.now < began + 10


def test_the_others_do_not_matter_while_the_canary_is_watched(world: FakeWorld) -> None:
    rollout = switched(world)
    del world.pools["shop"][f"shop-{NEW}-1"]

    run(watch(rollout, "canary"))


def test_killed_while_watching_it_watches_the_whole_time_again(world: FakeWorld) -> None:
    task = watch(switched(world))
    killed_while_waiting(task)
    world.clock.pass_s(15)
    began = world.clock.now
    run(task)

    assert world.clock.now - began >= 20


def test_the_balancer_is_away_for_a_while(world: FakeWorld) -> None:
    rollout = switched(world)
    killed_while_waiting(watch(rollout))
    turn, began = world.tick, world.clock.now

    def away() -> None:
        turn()
        if world.clock.now == began + 3:
            world.fail("members", Unreachable("reloading"))

    world.tick = away  # type: ignore[method-assign]
    run(watch(rollout))


@pytest.mark.parametrize("stage", ["canary", "drained"])
def test_where_nothing_is_to_do_nothing_is_watched(world: FakeWorld, stage: str) -> None:
    two_old(world)
    rollout = planned(service(), replace="outdated")
    began = world.clock.now

    assert run(watch(rollout, stage)) == []
    assert world.clock.now == began


def test_a_dry_run_watches_nothing_and_leads_to_no_old_vm(world: FakeWorld) -> None:
    two_old(world)
    rollout = planned(service(), dry_run=True)

    assert run(watch(rollout, "canary")) == []


def test_a_service_that_shrinks_has_no_canary_but_old_vms(world: FakeWorld) -> None:
    two_old(world)
    rollout = planned(service(), replicas=1, replace="none")

    assert [vm["name"] for vm in run(watch(rollout, "canary"))] == [f"shop-{OLD}-1"]


@pytest.mark.parametrize(("index", "duration_s"), [(0, 30), (1, 20)])
def test_a_single_vm_is_watched_before_its_old_one_goes(
    world: FakeWorld, deferrable: bool, index: int, duration_s: int
) -> None:
    rollout, began = switched(world), world.clock.now
    rollout["service"]["canary"]["watch"] = "30s"
    vm = vm_of(rollout, "new", index)
    del world.pools["shop"][f"shop-{NEW}-{1 - index}"]  # it does not matter here
    run(lambda: WatchVm(task_id="t", rollout=rollout, vm=vm, deferrable=deferrable))

    assert duration_s <= world.clock.now - began < duration_s + 2


def test_a_single_vm_that_answers_with_errors(world: FakeWorld, deferrable: bool) -> None:
    rollout = switched(world)
    world.guests["1.1"] = Guest(error_share=0.02)
    vm = vm_of(rollout, "new", 1)

    with pytest.raises(Refused, match="requests with errors"):
        run(lambda: WatchVm(task_id="t", rollout=rollout, vm=vm, deferrable=deferrable))
