"""The front doors: their forms, and that each is one task."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from include.front_doors import FRONT_DOORS
from snowmelt.operators.front_door import GoThrough
from snowmelt.why import say_why
from tests.dags.conftest import DAGS, Catalogue

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def doors(catalogue: Catalogue) -> dict[str, DAG]:
    catalogue("shop", "wiki")
    bag = DagBag(str(DAGS / "front_doors.py"))
    assert not bag.import_errors
    return dict(bag.dags)


def filled(dag: DAG, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a run whose form was filled in so."""
    params = deepcopy(dag.params)
    params.update(asked)
    return dict(params.validate())


def test_there_is_a_door_for_each_verb(doors: dict[str, DAG]) -> None:
    assert set(doors) == set(FRONT_DOORS)
    assert set(doors) == {
        *("deploy_release", "scale_service", "roll_back_release", "retire_service", "replace_vm")
    }


def test_each_is_one_task_that_follows_the_rollout(doors: dict[str, DAG]) -> None:
    for dag in doors.values():
        (task,) = dag.tasks
        assert isinstance(task, GoThrough)
        assert task.door == dag.dag_id
        assert task.on_failure_callback in (say_why, [say_why])
        assert dag.doc_md
        assert dag.schedule is None


def test_the_services_are_known_by_the_names_of_their_files(catalogue: Catalogue) -> None:
    folder = catalogue("shop", "wiki")
    (folder / "broken.yaml").write_text("name: [")

    bag = DagBag(str(DAGS / "front_doors.py"))

    assert not bag.import_errors
    listed = bag.dags["deploy_release"].params.get_param("service").schema["enum"]
    assert listed == ["broken", "shop", "wiki"]


def test_a_task_that_starts_parses_its_own_door_only(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue("shop")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "replace_vm")

    assert set(DagBag(str(DAGS / "front_doors.py")).dags) == {"replace_vm"}


@pytest.mark.parametrize(
    ("door", "asked"),
    [
        ("deploy_release", {"service": "shop", "release": "1.1"}),
        ("deploy_release", {"service": "shop", "release": "1.1", "replace": "outdated"}),
        ("scale_service", {"service": "wiki", "replicas": 4, "reason": "a sale"}),
        ("roll_back_release", {"service": "shop", "force": True}),
        ("retire_service", {"service": "shop", "confirm": "shop"}),
        ("replace_vm", {"service": "shop", "vm": "shop-k3f7x2q-0", "dry_run": True}),
    ],
)
def test_the_form_takes(doors: dict[str, DAG], door: str, asked: dict[str, Any]) -> None:
    assert filled(doors[door], asked)["service"] == asked["service"]


@pytest.mark.parametrize(
    ("door", "asked"),
    [
        ("deploy_release", {"release": "1.1"}),
        ("deploy_release", {"service": "shop"}),
        ("deploy_release", {"service": "shop", "release": "latest"}),
        ("deploy_release", {"service": "mail", "release": "1.1"}),
        ("scale_service", {"service": "shop"}),
        ("scale_service", {"service": "shop", "replicas": 0}),
        ("retire_service", {"service": "shop"}),
        ("replace_vm", {"service": "shop"}),
        ("replace_vm", {"service": "shop", "vm": 0}),
    ],
)
def test_the_form_refuses(doors: dict[str, DAG], door: str, asked: dict[str, Any]) -> None:
    with pytest.raises(ParamValidationError):
        filled(doors[door], asked)


def test_every_field_is_explained(doors: dict[str, DAG]) -> None:
    for dag in doors.values():
        for name in dag.params:
            assert dag.params.get_param(name).description, name
