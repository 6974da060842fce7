"""What expires, and when that is looked at."""

from __future__ import annotations

import os
import time
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from include.catalogue.loader import requested_names
from snowmelt.why import say_why
from tests.dags.conftest import DAGS
from tests.plugins.snowmelt.asking import NOW, kept, policy
from tests.plugins.snowmelt.kit import service
from tests.plugins.snowmelt.world import FakeWorld

__all__ = ["policy"]

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def dag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DAG:
    entry = service(name="parser", replicas=1, expires_at="2030-01-01T00:00:00Z")
    (tmp_path / "parser.yaml").write_text(yaml.safe_dump(entry.model_dump(mode="json")))
    monkeypatch.setenv("SNOWMELT_REQUESTS", str(tmp_path))
    return parsed()


def parsed() -> DAG:
    bag = DagBag(str(DAGS / "expire_requests.py"))
    assert not bag.import_errors
    return bag.dags["expire_requests"]


def filled(dag: DAG, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a run whose form was filled in so."""
    params = deepcopy(dag.params)
    params.update(asked)
    return dict(params.validate())


def test_it_looks_every_five_minutes_and_one_look_at_a_time(dag: DAG) -> None:
    assert str(dag.schedule) == "*/5 * * * *"
    assert dag.max_active_runs == 1
    assert not dag.catchup
    assert all(task.on_failure_callback in (say_why, [say_why]) for task in dag.tasks)


@pytest.mark.runs
@pytest.mark.usefixtures("database")
@pytest.mark.filterwarnings("ignore")  # of Airflow's own in-process API server
def test_a_reminder_that_fails_keeps_nothing_alive(
    world: FakeWorld, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # `dag.test()` sleeps and finds nothing
    rules = yaml.safe_load(policy.read_text())
    policy.write_text(yaml.safe_dump({**rules, "reminders": [{"notifier": "json.NoSuchThing"}]}))
    kept("ended", NOW - timedelta(hours=1))
    kept("soon", NOW + timedelta(hours=1))
    os.utime(policy.parent / "asked" / "soon.yaml", (0, 0))  # asked for long ago
    world.new_runs_end_s = 10.0
    found = {ti.task_id: ti.state for ti in parsed().test().get_task_instances()}

    assert (found["remind_owner"], found["retire_request"]) == ("failed", "success")
    assert requested_names() == ("soon",)


def test_a_mistake_in_the_policy_keeps_nothing_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path / "services"))
    (tmp_path / "requests.yaml").write_text("sizes: [")

    assert parsed()


def test_what_ends_at_once_is_picked_from_a_list(dag: DAG) -> None:
    assert filled(dag, {})["end_now"] is None
    assert filled(dag, {"end_now": "parser"})["end_now"] == "parser"
    with pytest.raises(ParamValidationError):
        filled(dag, {"end_now": "shop"})
