"""Clear what a crashed run left."""

from __future__ import annotations

from typing import Any

from snowmelt.operators.sweep import ClearLeftovers
from tests.plugins.snowmelt.kit import (
    NEW,
    OLD,
    Make,
    killed_while_waiting,
    planned,
    run,
    service,
    serving,
    spec,
    two_old,
)
from tests.plugins.snowmelt.world import FakeWorld

CRASHED = "ccccccc"


def left_behind(world: FakeWorld) -> str:
    """Let a VM run that an earlier run made and that never joined."""
    two_old(world)
    name = f"shop-{CRASHED}-0"
    serving(world, name, "1.1")
    del world.pools["shop"][name]
    return name


def clear(rollout: dict[str, Any], deferrable: bool = True) -> Make:
    return lambda: ClearLeftovers(task_id="t", rollout=rollout, deferrable=deferrable)


def test_a_vm_that_a_crashed_run_left_goes_whole(world: FakeWorld, deferrable: bool) -> None:
    name = left_behind(world)
    others = run(clear(planned(service()), deferrable))

    assert world.vms[2].phase == "done"
    assert not [n for n in (*world.hosts, *world.names, *world.nodes) if CRASHED in n]
    assert world.story[0] == f"terminate hard {name}"
    assert f"revoke certificate of {name}.lab.test" in world.story
    assert [vm["name"] for vm in others] == [f"shop-{NEW}-1"]


def test_the_vms_that_serve_are_not_touched(world: FakeWorld) -> None:
    left_behind(world)
    run(clear(planned(service())))

    assert [world.vms[n].phase for n in (0, 1)] == ["running", "running"]
    assert len(world.pools["shop"]) == 2
    assert not [told for told in world.story if OLD in told]


def test_clearing_twice_changes_nothing(world: FakeWorld) -> None:
    left_behind(world)
    task = clear(planned(service()))
    run(task)
    before = world.everything()
    run(task)

    assert world.everything() == before


def test_killed_while_a_leftover_goes(world: FakeWorld) -> None:
    left_behind(world)
    task = clear(planned(service()))
    killed_while_waiting(task)
    run(task)

    assert world.vms[2].phase == "done"
    assert not [n for n in world.names if CRASHED in n]


def test_a_new_vm_that_took_on_the_name_of_a_leftover_is_left_alone(world: FakeWorld) -> None:
    """This task alone is cleared later, when the new VM of that name serves."""
    two_old(world)
    failed = world.add_vm(spec(f"shop-{NEW}-0", "1.1"), phase="failed")
    task = clear(planned(service(), release="1.1"))
    run(task)
    assert failed.phase == "done"
    serving(world, f"shop-{NEW}-0", "1.1")
    before = world.everything()

    assert [vm["name"] for vm in run(task)] == [f"shop-{NEW}-1"]
    assert world.everything() == before


def test_what_is_known_of_a_new_vm_that_somebody_ended_goes_before_it_is_made_anew(
    world: FakeWorld, deferrable: bool
) -> None:
    """The run was cleared: it gives the same names, and the certificate has another key."""
    two_old(world)
    serving(world, f"shop-{NEW}-0", "1.1").phase = "done"
    rollout = {**planned(service(), release="1.1"), "again": True}
    run(clear(rollout, deferrable))

    fqdns = [f"shop-{OLD}-{slot}.lab.test" for slot in (0, 1)]
    for known in (world.names, world.hosts, world.certificates, world.nodes):
        assert sorted(known) == fqdns
    assert f"shop-{NEW}-0" not in world.pools["shop"]


def test_a_run_that_is_cleared_leaves_the_new_vms_alone_that_are_there(world: FakeWorld) -> None:
    two_old(world)
    rollout = {**planned(service(), release="1.1"), "again": True}
    for slot in (0, 1):
        serving(world, f"shop-{NEW}-{slot}", "1.1")  # a try of `create_vm` was faster
    before = world.everything()
    run(clear(rollout))

    assert world.everything() == before


def test_where_nothing_was_left_the_others_may_come(world: FakeWorld) -> None:
    two_old(world)
    before = world.everything()
    others = run(clear(planned(service())))

    assert [vm["name"] for vm in others] == [f"shop-{NEW}-1"]
    assert world.everything() == before


def test_a_dry_run_clears_nothing(world: FakeWorld) -> None:
    left_behind(world)
    rollout = planned(service(), dry_run=True)
    before = world.everything()

    assert run(clear(rollout)) == []
    assert world.everything() == before
