"""What the product asks of Airflow itself, asked of a real one: runs of DAGs, and Variables."""

from __future__ import annotations

import time
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import Variable

from include.last_good import Good
from include.verdict import Outcome
from snowmelt.errors import Refused
from snowmelt.hooks.dag_runs import DagRunsHook
from snowmelt.hooks.good_releases import GoodReleasesHook
from snowmelt.operators.front_door import GoThrough
from tests.dags.conftest import DAGS, Catalogue

# Airflow's own in-process API server warns of what is to come in its libraries
pytestmark = [
    pytest.mark.runs,
    pytest.mark.usefixtures("database"),
    pytest.mark.filterwarnings("ignore"),
]


CHILD = ("rollout_shop", "r")


def ask(answers: dict[str, Any]) -> None:
    """Ask Airflow from inside of a task, the only place from which it answers."""
    runs, good = DagRunsHook(), GoodReleasesHook()
    answers["before"] = runs.exists(*CHILD)
    answers["started"] = [runs.ensure_run(*CHILD, {"replicas": 2}) for _ in "ab"]
    answers["after"] = runs.exists(*CHILD), runs.look(*CHILD)
    runs.ensure_run(CHILD[0], "behind", {})
    answers["behind"] = runs.milestones(CHILD[0])
    answers["failed"] = runs.failed_tasks(*CHILD)
    answers["pulled"] = runs.pulled(*CHILD, "plan", "rollout")
    answers["page"] = runs.address(*CHILD)
    answers["none"] = good.read("shop")
    good.write("shop", [Good(release="1.0", at="now", run="r")])
    answers["good"] = good.read("shop")
    Variable.set("snowmelt_last_good_wiki", '[{"release": ')
    with pytest.raises(Refused) as refused:
        good.read("wiki")
    answers["spoilt"] = str(refused.value)


def test_airflow_answers(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue("shop")
    answers: dict[str, Any] = {}
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(GoThrough, "execute", lambda *_, **__: ask(answers))
    dag = DagBag(str(DAGS)).dags["deploy_release"]
    dag.tasks[0].retries = 0

    assert dag.test(run_conf={"service": "shop", "release": "1.1"}).state == "success"

    assert answers["before"] is False
    assert answers["started"] == [Outcome.CREATED, Outcome.UNCHANGED]
    assert answers["after"][0] is True
    assert answers["after"][1].state == "queued"
    states = dict.fromkeys(("plan", "verify", "roll_back"))
    assert answers["behind"] == {"r": states, "behind": states}
    assert (answers["failed"], answers["pulled"], answers["none"]) == ([], None, [])
    assert answers["page"].endswith("/dags/rollout_shop/runs/r")
    assert answers["good"] == [Good(release="1.0", at="now", run="r")]
    assert "snowmelt_last_good_wiki (Admin → Variables) cannot be read" in answers["spoilt"]
