"""The hourly audit: its form, its order, and what parsing it costs."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from snowmelt.why import say_why
from tests.dags.conftest import DAGS, Catalogue

pytestmark = pytest.mark.usefixtures("no_network")


def parsed() -> DAG:
    bag = DagBag(str(DAGS / "audit_fleet.py"))
    assert not bag.import_errors
    return dict(bag.dags)["audit_fleet"]


@pytest.fixture
def dag(catalogue: Catalogue) -> DAG:
    catalogue("shop", "worker")
    return parsed()


def filled(dag: DAG, asked: dict[str, Any]) -> dict[str, Any]:
    params = deepcopy(dag.params)
    params.update(asked)
    return dict(params.validate())


def test_it_runs_every_hour_and_never_beside_itself(dag: DAG) -> None:
    assert str(dag.schedule) == "@hourly"
    assert dag.max_active_runs == 1
    assert not dag.catchup


def test_nothing_is_mended_before_the_brake_let_it(dag: DAG) -> None:
    above = {t: set(dag.get_task(t).get_flat_relative_ids(upstream=True)) for t in dag.task_ids}

    assert above["repair"] == {"audit", "brake"}
    assert above["heal"] == {"audit", "brake", "repair"}


def test_a_run_ends_with_what_turns_it_red(dag: DAG) -> None:
    """Else the state of a run would be that of `heal` alone."""
    assert [task.task_id for task in dag.leaves] == ["mended"]
    assert dag.get_task("mended").upstream_task_ids == {"audit", "repair", "heal"}


def test_every_task_is_retried_and_says_why_it_failed(dag: DAG) -> None:
    for task in dag.tasks:
        assert (task.retries or 0) >= 3
        assert task.on_failure_callback in (say_why, [say_why])


def test_a_run_that_nobody_asked_for_only_looks(dag: DAG) -> None:
    assert filled(dag, {})["repair"] is False


def test_a_site_may_let_it_repair_by_itself_and_the_form_shows_it(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue("shop")
    monkeypatch.setenv("SNOWMELT_AUDIT_REPAIR", "true")

    assert filled(parsed(), {})["repair"] is True


@pytest.mark.parametrize(
    "asked",
    [
        {"repair": True, "grace": 0},
        {"services": ["shop"]},
        {"services": ["shop", "worker"], "max_down": 100},
        {"services": None},
    ],
)
def test_the_form_takes(dag: DAG, asked: dict[str, Any]) -> None:
    assert filled(dag, asked).items() >= asked.items()


@pytest.mark.parametrize(
    "asked",
    [
        {"repair": "yes"},
        {"services": ["blog"]},
        {"services": "shop"},
        {"grace": -1},
        {"grace": 1.5},
        {"max_down": 0},
        {"max_down": 101},
    ],
    ids=str,
)
def test_the_form_refuses(dag: DAG, asked: dict[str, Any]) -> None:
    with pytest.raises(ParamValidationError):
        filled(dag, asked)


def test_parsing_reads_no_catalogue_file(catalogue: Catalogue) -> None:
    (catalogue("shop") / "broken.yaml").write_text("name: [")

    assert filled(parsed(), {"services": ["broken"]})["services"] == ["broken"]


def test_an_empty_catalogue_has_an_audit_too(catalogue: Catalogue) -> None:
    catalogue()

    assert filled(parsed(), {})["services"] is None
