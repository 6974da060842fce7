"""The graph of a service whose strategy is rolling."""

from __future__ import annotations

from itertools import pairwise

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.definitions.taskgroup import MappedTaskGroup

from include.planner import STRATEGIES
from snowmelt.wiring import GRAPHS
from tests.dags.conftest import DAGS, Catalogue

pytestmark = pytest.mark.usefixtures("no_network")

STEPS = [
    *("create_vm", "publish_dns", "enrol_in_puppet", "monitor_vm", "join_balancer", "watch"),
    *("drain", "leave_balancer", "retire_identity", "terminate_vm"),
]


@pytest.fixture
def dag(catalogue: Catalogue) -> DAG:
    catalogue("shop", strategy="rolling", surge=1)
    bag = DagBag(str(DAGS / "rollout.py"))
    assert not bag.import_errors
    return bag.dags["rollout_shop"]


def upstream(dag: DAG, task_id: str) -> set[str]:
    return set(dag.get_task(task_id).upstream_task_ids)


def test_every_strategy_has_a_graph() -> None:
    assert set(GRAPHS) == set(STRATEGIES)


def test_services_of_both_kinds_stand_side_by_side(catalogue: Catalogue) -> None:
    catalogue("shop", strategy="rolling", surge=1)
    catalogue("wiki")
    dags = DagBag(str(DAGS / "rollout.py")).dags

    assert "replace.drain" in dags["rollout_shop"].task_ids
    assert "old.drain" in dags["rollout_wiki"].task_ids


def test_a_replacement_is_a_mapped_group_from_the_new_vm_to_the_old_one(dag: DAG) -> None:
    groups = dag.task_group.get_task_group_dict()

    assert isinstance(groups["replace"], MappedTaskGroup)
    assert [t for t in dag.task_ids if "." in t] == [f"replace.{step}" for step in STEPS]
    for before, after in pairwise(STEPS):
        assert f"replace.{before}" in upstream(dag, f"replace.{after}")


def test_a_pair_without_a_new_or_an_old_vm_skips_those_steps_and_goes_on(dag: DAG) -> None:
    rules = {t: dag.get_task(f"replace.{t}").trigger_rule for t in STEPS}

    assert {t for t, rule in rules.items() if rule == "none_failed"} == {"drain"}
    assert dag.get_task("verify").trigger_rule == "none_failed"


def test_the_way_back_waits_until_nothing_works_any_more(dag: DAG) -> None:
    undo = dag.get_task("roll_back")
    above = set(undo.get_flat_relative_ids(upstream=True))

    assert undo.trigger_rule == "all_done"
    assert {f"replace.{step}" for step in STEPS} <= above
    assert {t.task_id for t in dag.leaves} == {"verify", "roll_back"}


def test_at_most_12_task_instances_for_each_vm_replaced(dag: DAG) -> None:
    single = [t for t in dag.task_ids if "." not in t]
    vms = 2

    assert len(single) + vms * len(STEPS) <= 12 * vms


def test_its_page_tells_the_runbook_of_its_strategy(dag: DAG) -> None:
    assert dag.doc_md
    assert "stops the window" in dag.doc_md
    assert "`roll_back`" in dag.doc_md
