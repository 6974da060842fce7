"""The last look: is it as planned, and is nothing left of what went?"""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from snowmelt.errors import Refused, SnowmeltError
from snowmelt.operators.verify import Verify
from tests.plugins.snowmelt.kit import (
    NEW,
    OLD,
    planned,
    run,
    service,
    serving,
    spec,
    two_old,
)
from tests.plugins.snowmelt.world import FakeWorld

KINDS = ("certificates", "nodes", "names", "hosts")


def finished(world: FakeWorld) -> dict[str, Any]:
    """Return a rollout after which the world is as planned."""
    two_old(world)
    rollout: dict[str, Any] = planned(service(), release="1.1")
    for kind in (*KINDS, "vms"):
        getattr(world, kind).clear()
    world.pools["shop"].clear()
    for slot in (0, 1):
        serving(world, f"shop-{NEW}-{slot}", "1.1")
    return rollout


def verify(rollout: dict[str, Any]) -> Any:
    return run(lambda: Verify(task_id="t", rollout=rollout))


def test_all_is_as_planned(world: FakeWorld) -> None:
    assert verify(finished(world)) == {
        "release": "1.1",
        "new": [f"shop-{NEW}-0", f"shop-{NEW}-1"],
        "gone": [f"shop-{OLD}-0", f"shop-{OLD}-1"],
    }


def test_the_name_of_a_failed_vm_that_a_new_one_took_on_is_no_trace(world: FakeWorld) -> None:
    """A run that was cleared: its first VM of this name failed."""
    failed = world.add_vm(spec(f"shop-{NEW}-0", "1.1"), phase="failed")
    rollout = finished(world)
    assert [vm["vm_id"] for vm in rollout["plan"]["leftovers"]] == [failed.vm_id]

    assert verify(rollout)["gone"] == [f"shop-{OLD}-0", f"shop-{OLD}-1"]


def test_a_service_without_vms_may_come_back_anywhere(world: FakeWorld) -> None:
    two_old(world)
    rollout = planned(service(), replicas=0)
    for kind in (*KINDS, "vms"):
        getattr(world, kind).clear()
    world.pools["shop"].clear()
    world.placed["shop"] = {"balancer.pool": "shop"}
    verify(rollout)

    assert world.placed == {}


def test_the_release_is_kept_as_one_to_go_back_to(world: FakeWorld) -> None:
    rollout = finished(world)
    verify(rollout)
    verify(rollout)

    (good,) = world.good["shop"]
    assert (good.release, good.run) == ("1.1", "manual__1")


def test_a_release_that_only_some_vms_run_is_not_good_yet(world: FakeWorld) -> None:
    """One slot went to 1.1 as a trial: the way back from it is still 1.0."""
    two_old(world)
    rollout: dict[str, Any] = planned(service(), release="1.1", slots=(1,))
    gone = f"shop-{OLD}-1"
    world.vms[1].phase = "done"
    world.nodes.remove(f"{gone}.lab.test")
    for known in (world.certificates, world.names, world.hosts):
        del known[f"{gone}.lab.test"]
    del world.pools["shop"][gone]
    serving(world, f"shop-{NEW}-1", "1.1")

    assert verify(rollout)["new"] == [f"shop-{NEW}-1"]
    assert not world.good


def test_a_release_that_is_not_as_planned_is_not_good(world: FakeWorld) -> None:
    rollout = finished(world)
    world.vms[0].phase = "unknown"
    with pytest.raises(SnowmeltError):
        verify(rollout)

    assert not world.good


def test_verifying_changes_nothing(world: FakeWorld) -> None:
    rollout = finished(world)
    before = world.everything()
    verify(rollout)

    assert world.everything() == before


def test_a_node_that_came_back_with_the_vms_last_words_goes_again(world: FakeWorld) -> None:
    """What a VM tells PuppetDB between the end of its node and its own makes the node active."""
    rollout = finished(world)
    world.nodes.add(f"shop-{OLD}-0.lab.test")

    assert verify(rollout)["gone"] == [f"shop-{OLD}-0", f"shop-{OLD}-1"]
    assert f"shop-{OLD}-0.lab.test" not in world.nodes


def test_the_node_of_a_vm_that_is_still_there_stays(world: FakeWorld) -> None:
    rollout = finished(world)
    serving(world, f"shop-{OLD}-0")

    with pytest.raises(SnowmeltError, match=f"PuppetDB has shop-{OLD}-0"):
        verify(rollout)


@pytest.mark.parametrize("kind", ["certificates", "names", "hosts"])
def test_a_trace_of_an_old_vm_fails_the_run_after_retries(world: FakeWorld, kind: str) -> None:
    rollout = finished(world)
    spare = FakeWorld()
    serving(spare, f"shop-{OLD}-0")
    found = getattr(spare, kind)
    getattr(world, kind).update(found)

    with pytest.raises(SnowmeltError, match=f"not as planned: .*shop-{OLD}-0") as told:
        verify(rollout)
    assert not isinstance(told.value, Refused)


def test_an_old_vm_that_still_runs_is_told(world: FakeWorld) -> None:
    rollout = finished(world)
    serving(world, f"shop-{OLD}-1")

    with pytest.raises(SnowmeltError, match=f"VM 2 shop-{OLD}-1 is ACTIVE/RUNNING"):
        verify(rollout)


def test_a_new_vm_that_does_not_serve_is_told(world: FakeWorld) -> None:
    rollout = finished(world)
    del world.pools["shop"][f"shop-{NEW}-1"]

    with pytest.raises(SnowmeltError, match=f"shop-{NEW}-1 does not serve"):
        verify(rollout)


def test_a_new_vm_that_does_not_run_is_told(world: FakeWorld) -> None:
    rollout = finished(world)
    world.vms[0].phase = "unknown"

    with pytest.raises(SnowmeltError, match=f"shop-{NEW}-0 does not run"):
        verify(rollout)


def test_a_dry_run_has_nothing_to_verify(world: FakeWorld) -> None:
    with pytest.raises(AirflowSkipException):
        verify(planned(service(), dry_run=True))
