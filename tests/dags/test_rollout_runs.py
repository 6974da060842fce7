"""Whole runs of a rollout, on a cloud in memory."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from snowmelt.errors import NotAllowed
from tests.dags.conftest import DAGS, Catalogue
from tests.plugins.snowmelt.kit import OLD, serving, two_old
from tests.plugins.snowmelt.world import FakeWorld, Guest

# Airflow's own in-process API server warns of what is to come in its libraries
pytestmark = [
    pytest.mark.runs,
    pytest.mark.usefixtures("database"),
    pytest.mark.filterwarnings("ignore"),
]


class Rollouts:
    """Runs the DAG of `shop`."""

    def __init__(self) -> None:
        self.dag = DagBag(str(DAGS)).dags["rollout_shop"]
        for task in self.dag.tasks:
            task.retries = 0  # what they do is Airflow's business; here they would only take time
        self.states: Counter[str] = Counter()

    def __call__(self, **params: Any) -> str:
        run = self.dag.test(run_conf=params)
        self.states = Counter(f"{ti.task_id} {ti.state}" for ti in run.get_task_instances())
        return str(run.state)


@pytest.fixture
def rollout(world: FakeWorld, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Rollouts:
    # `dag.test()` sleeps 1 s whenever it finds nothing to start, such as before it maps a group
    monkeypatch.setattr(time, "sleep", lambda _: None)
    catalogue("shop", release="1.0", replicas=1)
    return Rollouts()


def releases(world: FakeWorld) -> list[str]:
    """Return the releases of the VMs in the pool."""
    by_name = {vm.spec.name: vm.spec.release for vm in world.vms.values()}
    return [by_name[name] for name in world.pools["shop"]]


def test_a_service_is_deployed_from_nothing(world: FakeWorld, rollout: Rollouts) -> None:
    assert rollout(release="1.0") == "success"

    assert releases(world) == ["1.0"]
    assert [vm.phase for vm in world.vms.values()] == ["running"]


def test_two_vms_move_from_1_0_to_1_1(world: FakeWorld, rollout: Rollouts) -> None:
    two_old(world)

    assert rollout(release="1.1") == "success"

    assert releases(world) == ["1.1", "1.1"]
    assert [vm.phase for vm in world.vms.values()] == ["done", "done", "running", "running"]
    for known in (world.certificates, world.nodes, world.names, world.hosts):
        assert not [name for name in known if OLD in name]
    assert sum(rollout.states.values()) <= 24


@pytest.fixture
def guarded(rollout: Rollouts, catalogue: Catalogue) -> Rollouts:
    """Runs it where a firewall stands before the VMs."""
    catalogue("shop", release="1.0", replicas=1, firewall={"group": "web_vms"})
    return Rollouts()


def test_the_firewall_lets_in_to_the_new_vm_and_no_more_to_the_old(
    world: FakeWorld, guarded: Rollouts
) -> None:
    old = serving(world, f"shop-{OLD}-0")
    world.groups["web_vms"] = {old.address: f"shop-{OLD}-0.lab.test", "198.18.0.9": "by hand"}

    assert guarded(release="1.1") == "success"

    (name,) = world.pools["shop"]
    assert sorted(world.groups["web_vms"].values()) == ["by hand", f"{name}.lab.test"]
    story = world.story
    assert story.index(f"let in {name}.lab.test") < story.index(f"join {name}")


def test_a_firewall_that_refuses_leaves_the_old_vm_serving_and_nothing_of_the_new(
    world: FakeWorld, guarded: Rollouts
) -> None:
    old = serving(world, f"shop-{OLD}-0")
    world.groups["web_vms"] = {old.address: f"shop-{OLD}-0.lab.test"}
    before = dict(world.groups["web_vms"])
    world.fail("ensure_entry", NotAllowed("the firewall does not take our key"), times=9)

    assert guarded(release="1.1") == "failed"

    assert releases(world) == ["1.0"]
    assert world.groups["web_vms"] == before
    assert guarded.states["canary.monitor_vm failed"] == 1


def test_nothing_is_done_where_nothing_is_to_do(world: FakeWorld, rollout: Rollouts) -> None:
    serving(world, f"shop-{OLD}-0")
    before = world.everything()

    assert rollout(replace="outdated") == "success"

    assert world.everything() == before


def test_a_dry_run_changes_nothing(world: FakeWorld, rollout: Rollouts) -> None:
    serving(world, f"shop-{OLD}-0")
    before = world.everything()

    assert rollout(release="1.1", dry_run=True) == "success"

    assert world.everything() == before


def test_a_vm_that_fails_its_enrolment_goes_and_the_old_one_serves_on(
    world: FakeWorld, rollout: Rollouts
) -> None:
    serving(world, f"shop-{OLD}-0")
    world.guests["1.3"] = Guest(puppet="failed", failures=("Package[shop-app]: no candidate",))

    assert rollout(release="1.3") == "failed"

    assert releases(world) == ["1.0"]
    assert [vm.phase for vm in world.vms.values()] == ["running", "done"]
    assert [sorted(k) for k in (world.certificates, world.nodes, world.names)] == [
        [f"shop-{OLD}-0.lab.test"]
    ] * 3
    assert rollout.states["canary.enrol_in_puppet failed"] == 1
    assert rollout.states["roll_back success"] == 1


def test_a_release_that_answers_with_errors_under_load_is_taken_back(
    world: FakeWorld, rollout: Rollouts
) -> None:
    serving(world, f"shop-{OLD}-0")
    world.guests["1.4"] = Guest(error_share=0.02)

    assert rollout(release="1.4") == "failed"

    assert releases(world) == ["1.0"]
    assert world.pools["shop"][f"shop-{OLD}-0"].admin == "ready"
    assert [vm.phase for vm in world.vms.values()] == ["running", "done"]
    assert rollout.states["watch_canary failed"] == 1


def test_a_service_retires(world: FakeWorld, rollout: Rollouts) -> None:
    serving(world, f"shop-{OLD}-0")

    assert rollout(replicas=0, force=True) == "success"

    assert [vm.phase for vm in world.vms.values()] == ["done"]
    assert not any((world.pools["shop"], world.names, world.hosts, world.certificates))
