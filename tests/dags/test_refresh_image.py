"""Whole runs of `refresh_image`, on a cloud in memory."""

from __future__ import annotations

import time
from collections import Counter
from copy import deepcopy
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models import DagRun
from airflow.sdk.exceptions import ParamValidationError

from tests.dags.conftest import DAGS, Catalogue
from tests.plugins.snowmelt.fake_images import add_image, add_template, images_of
from tests.plugins.snowmelt.kit import OLD, serving
from tests.plugins.snowmelt.world import FakeWorld, Guest

# Airflow's own in-process API server warns of what is to come in its libraries
pytestmark = [
    pytest.mark.runs,
    pytest.mark.usefixtures("database"),
    pytest.mark.filterwarnings("ignore"),
]

FORM = {"image": "debian-12", "version": "2", "path": "/images/debian-12.qcow2"}
NEW_IMAGE = "debian-12-2"


class Refreshes:
    """Runs the DAG."""

    def __init__(self) -> None:
        bag = DagBag(str(DAGS / "refresh_image.py"))
        assert not bag.import_errors
        self.dag = bag.dags["refresh_image"]
        for task in self.dag.tasks:
            task.retries = 0
        self.states: Counter[str] = Counter()

    def __call__(self, **params: Any) -> str:
        run = self.dag.test(run_conf={**FORM, **params})
        self.states = Counter(f"{ti.task_id} {ti.state}" for ti in run.get_task_instances())
        return str(run.state)


@pytest.fixture
def refresh(world: FakeWorld, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Refreshes:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # `dag.test()` sleeps where it finds nothing
    # it cannot make the context of a callback either, where a param has no default
    monkeypatch.setattr(DagRun, "execute_dag_callbacks", lambda *_, **__: None)
    catalogue("shop", "wiki", release="1.0", replicas=1)
    add_image(world, "debian-12")
    add_template(world, "t", "debian-12")
    serving(world, f"shop-{OLD}-0")
    return Refreshes()


def trial_vms(world: FakeWorld) -> list[str]:
    return [vm.phase for vm in world.vms.values() if "-trial-" in vm.spec.name]


def assert_no_trace(world: FakeWorld) -> None:
    for known in (world.certificates, world.requests, world.nodes, world.names, world.hosts):
        assert not [name for name in known if "trial" in name]


def test_the_next_vm_comes_from_the_new_image(world: FakeWorld, refresh: Refreshes) -> None:
    assert refresh() == "success"

    assert trial_vms(world) == ["done"]
    assert_no_trace(world)
    assert world.images[1].name == NEW_IMAGE
    assert images_of(world, serving(world, f"shop-{OLD}-1").vm_id) == [NEW_IMAGE]
    assert images_of(world, 0) == ["debian-12"]
    assert refresh.states["undo skipped"] == 1


def test_an_image_on_which_puppet_fails_never_gets_into_the_template(
    world: FakeWorld, refresh: Refreshes
) -> None:
    world.guests["1.0"] = Guest(puppet="failed", failures=("Package[x]: no candidate",))

    assert refresh() == "failed"

    assert [disk["IMAGE"] for disk in world.templates[0].disks] == ["debian-12"]
    assert [image.name for image in world.images.values()] == ["debian-12"]
    assert trial_vms(world) == ["done"]
    assert_no_trace(world)
    assert refresh.states["trial.retire_trial success"] == 1


def test_an_image_that_cannot_be_copied_makes_no_vm(world: FakeWorld, refresh: Refreshes) -> None:
    world.bad_images.add(NEW_IMAGE)

    assert refresh() == "failed"

    assert [image.name for image in world.images.values()] == ["debian-12"]
    assert trial_vms(world) == []


def test_a_dry_run_changes_nothing(world: FakeWorld, refresh: Refreshes) -> None:
    before = world.everything()

    assert refresh(dry_run=True) == "success"
    assert world.everything() == before


@pytest.mark.parametrize(
    "asked",
    [
        {"image": "a b"},
        {"image": 'x"]'},
        {"version": ""},
        {"version": "1\n"},
        {"path": "relative"},
        {"path": '/x"\nSOURCE="/etc/shadow'},
        {"app": -1},
        {"import_minutes": 0},
    ],
    ids=str,
)
def test_the_form_refuses(asked: dict[str, Any]) -> None:
    params = deepcopy(DagBag(str(DAGS / "refresh_image.py")).dags["refresh_image"].params)

    with pytest.raises(ParamValidationError):
        params.update({**FORM, **asked})
