"""The daily clean-up: its parts do not wait for each other."""

from __future__ import annotations

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

from tests.dags.conftest import DAGS


@pytest.fixture
def dag() -> DAG:
    bag = DagBag(str(DAGS / "clean_up.py"))
    assert not bag.import_errors
    return bag.dags["clean_up"]


def test_it_runs_every_day_once(dag: DAG) -> None:
    assert str(dag.schedule) == "23 4 * * *"
    assert dag.max_active_runs == 1
    assert not dag.catchup


def test_a_part_that_fails_keeps_no_other_from_its_work(dag: DAG) -> None:
    assert [task.task_id for task in dag.tasks if task.upstream_task_ids] == []


def test_every_part_is_told_in_the_description(dag: DAG) -> None:
    for task in dag.tasks:
        assert f"`{task.task_id}`" in str(dag.doc_md)


def test_every_field_of_the_form_has_a_default(dag: DAG) -> None:
    assert dag.params.validate()
