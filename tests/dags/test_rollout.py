"""One DAG per service: what it is made of, what it asks, and what parsing it costs."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.definitions.taskgroup import MappedTaskGroup
from airflow.sdk.exceptions import ParamValidationError

from include.catalogue import load_service, service_names
from snowmelt.why import say_why
from tests.dags.conftest import DAGS, Catalogue

pytestmark = pytest.mark.usefixtures("no_network", "no_database")

CHAIN = ["create_vm", "publish_dns", "enrol_in_puppet", "monitor_vm", "join_balancer"]
PUPPET = {"server": "puppet.lab.test", "role": "shop"}
END = ["drain", "leave_balancer", "retire_identity", "terminate_vm"]


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail whoever asks the metadata database for a session."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a database session while a DAG is parsed")

    monkeypatch.setattr("airflow.settings.Session", refuse)
    monkeypatch.setattr("airflow.settings.NonScopedSession", refuse)


def parsed() -> dict[str, DAG]:
    bag = DagBag(str(DAGS / "rollout.py"))
    assert not bag.import_errors
    return dict(bag.dags)


@pytest.fixture
def dag(catalogue: Catalogue) -> DAG:
    catalogue("shop")
    return parsed()["rollout_shop"]


def test_the_catalogue_of_this_repository_is_parsed() -> None:
    assert set(parsed()) == {f"rollout_{name}" for name in service_names()}


def test_every_dag_file_is_parsed_without_error() -> None:
    assert DagBag(str(DAGS)).import_errors == {}


def test_each_service_has_a_dag_of_its_own(catalogue: Catalogue) -> None:
    catalogue("billing", "mail-in", "wiki2")

    assert set(parsed()) == {"rollout_billing", "rollout_mail-in", "rollout_wiki2"}


def test_a_service_without_balancer_or_monitoring_has_the_same_graph(
    catalogue: Catalogue,
) -> None:
    catalogue("shop")
    whole = set(parsed()["rollout_shop"].task_ids)
    catalogue("shop", balancer=None, monitoring=None)

    assert set(parsed()["rollout_shop"].task_ids) == whole


@pytest.mark.parametrize("changes", [{}, {"strategy": "rolling", "surge": 1}])
def test_all_that_asks_the_ca_goes_through_its_lane(
    catalogue: Catalogue, changes: dict[str, Any]
) -> None:
    catalogue("shop", puppet={**PUPPET, "lane": "ca"}, **changes)
    pools = {task.task_id.rpartition(".")[2]: task.pool for task in parsed()["rollout_shop"].tasks}

    lane = {step for step, pool in pools.items() if pool == "ca"}
    assert lane == {"enrol_in_puppet", "retire_identity"}
    assert set(pools.values()) == {"ca", "default_pool"}


def test_a_task_that_starts_reads_its_own_service_only(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = catalogue("shop", "billing", "wiki")
    (folder / "broken.yaml").write_text("name: [")
    read = Path.read_bytes
    opened: list[str] = []

    def reading(path: Path) -> bytes:
        opened.append(path.name)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", reading)
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "rollout_billing")

    assert set(parsed()) == {"rollout_billing"}
    assert [name for name in opened if name.endswith(".yaml")] == ["billing.yaml"]


def test_who_owns_it_and_what_it_is_about_can_be_seen(catalogue: Catalogue) -> None:
    for name in catalogue("shop", "wiki", owner="team x").glob("*.yaml"):
        dag = parsed()[f"rollout_{name.stem}"]
        assert dag.tags == {"rollout", name.stem}
        assert dag.doc_md
        assert "`roll_back`" in dag.doc_md
        assert {task.owner for task in dag.tasks} == {"team x"}


def test_one_rollout_of_a_service_at_a_time_and_only_when_asked(dag: DAG) -> None:
    assert dag.max_active_runs == 1
    assert dag.schedule is None


def test_a_passing_failure_is_tried_again_soon_and_for_some_minutes(dag: DAG) -> None:
    for task in dag.tasks:
        assert (task.retries or 0) >= 3
        assert task.retry_delay <= timedelta(seconds=30)
        assert task.max_retry_delay == timedelta(minutes=1)


def test_every_task_says_in_its_last_line_why_it_failed(dag: DAG) -> None:
    for task in dag.tasks:
        assert task.on_failure_callback in (say_why, [say_why])


def test_the_steps_of_a_vm_are_a_mapped_group(dag: DAG) -> None:
    groups = dag.task_group.get_task_group_dict()
    kinds = {name: type(group) for name, group in groups.items() if name}

    assert kinds == dict.fromkeys(("canary", "others", "old"), MappedTaskGroup)
    for name, steps in (("canary", CHAIN), ("others", CHAIN), ("old", END)):
        assert [t for t in dag.task_ids if t.startswith(f"{name}.")] == [
            f"{name}.{step}" for step in steps
        ]


def test_every_mapped_task_is_named_after_its_vm(dag: DAG) -> None:
    for task in dag.tasks:
        in_group = "." in task.task_id
        assert bool(task.map_index_template) == in_group, task.task_id


def upstream(dag: DAG, task_id: str) -> set[str]:
    return set(dag.get_task(task_id).upstream_task_ids)


def above(dag: DAG, task_id: str) -> set[str]:
    """Return all tasks that come before this one."""
    return set(dag.get_task(task_id).get_flat_relative_ids(upstream=True))


@pytest.mark.parametrize("group", ["canary", "others"])
def test_a_new_vm_goes_step_by_step(dag: DAG, group: str) -> None:
    for before, after in pairwise(CHAIN):
        assert f"{group}.{before}" in upstream(dag, f"{group}.{after}")


def test_the_others_are_made_beside_the_canary_but_join_after_its_watch(dag: DAG) -> None:
    assert "watch_canary" in upstream(dag, "others.join_balancer")
    assert "watch_canary" not in above(dag, "others.monitor_vm")


def test_an_old_vm_drains_when_all_new_ones_have_joined(dag: DAG) -> None:
    assert {"canary.join_balancer", "others.join_balancer"} <= above(dag, "old.drain")


def test_nothing_irreversible_happens_before_the_watch(dag: DAG) -> None:
    for step in END[1:]:
        assert "watch" in above(dag, f"old.{step}")
    assert "old.drain" in upstream(dag, "watch")


def test_the_way_back_waits_for_all_that_could_work_against_it(dag: DAG) -> None:
    undo = dag.get_task("roll_back")
    assert undo.trigger_rule == "all_done"
    assert set(dag.task_ids) - {"roll_back", "verify"} == above(dag, "roll_back")
    assert "old.leave_balancer" in upstream(dag, "roll_back")  # as long as all old ones are whole


def test_a_run_that_was_undone_still_fails(dag: DAG) -> None:
    """A compensation as the only leaf would turn a failed run green."""
    leaves = {t.task_id for t in dag.leaves}

    assert leaves == {"verify", "roll_back"}
    assert dag.get_task("verify").trigger_rule == "none_failed"
    assert "roll_back" not in above(dag, "verify")


def test_groups_without_a_vm_do_not_stop_the_run(dag: DAG) -> None:
    for task_id in ("watch_canary", "others.join_balancer", "old.drain", "watch", "verify"):
        assert dag.get_task(task_id).trigger_rule == "none_failed"


def test_at_most_12_task_instances_for_each_vm_replaced(dag: DAG) -> None:
    single = [t for t in dag.task_ids if "." not in t]
    vms = 2

    assert len(single) + vms * (len(CHAIN) + len(END)) <= 12 * vms


def filled(dag: DAG, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a run whose form was filled in so."""
    params = deepcopy(dag.params)
    params.update(asked)
    return dict(params.validate())


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"release": "1.1"},
        {"release": "1:2.0~rc1+b2"},
        {"replicas": 0},
        {"replicas": 4, "replace": "none"},
        {"slots": [0, 2]},
        {"replace": "outdated", "dry_run": True, "reason": "why not", "force": True},
    ],
)
def test_the_form_takes(dag: DAG, asked: dict[str, Any]) -> None:
    assert filled(dag, asked)["dry_run"] is asked.get("dry_run", False)


@pytest.mark.parametrize(
    "asked",
    [
        {"release": ""},
        {"release": "latest"},
        {"release": "1.1; rm -rf /"},
        {"release": "1.1\n"},
        {"release": 1.1},
        {"replicas": -1},
        {"replicas": 1001},
        {"replicas": "two"},
        {"replace": "some"},
        {"slots": [-1]},
        {"slots": [1, 1]},
        {"dry_run": "yes"},
        {"reason": "x" * 501},
        {"force": 1},
    ],
    ids=lambda asked: str(asked)[:40],
)
def test_the_form_refuses(dag: DAG, asked: dict[str, Any]) -> None:
    with pytest.raises(ParamValidationError):
        filled(dag, asked)


def test_the_form_says_what_an_empty_field_means(catalogue: Catalogue) -> None:
    catalogue("shop", replicas=3)
    params = parsed()["rollout_shop"].params

    assert "Empty: 3" in str(params.get_param("replicas").description)
    for name in params:
        assert params.get_param(name).description


def test_the_example_service_fits_its_dag() -> None:
    assert parsed()["rollout_shop"].tasks[0].owner == load_service("shop").owner
