"""Whole runs of the audit, on a cloud in memory and a real Airflow."""

from __future__ import annotations

import time
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models import DagRun
from airflow.sdk import DAG
from airflow.utils.session import create_session

from include.facts import VmPhase
from snowmelt.errors import Conflict, Unreachable
from snowmelt.hooks.audit_memory import AuditMemoryHook
from snowmelt.hooks.dag_runs import DagRunsHook
from tests.dags.conftest import DAGS, Catalogue
from tests.plugins.snowmelt.kit import OLD, two_old
from tests.plugins.snowmelt.world import FakeWorld

# Airflow's own in-process API server warns of what is to come in its libraries
pytestmark = [
    pytest.mark.runs,
    pytest.mark.usefixtures("database"),
    pytest.mark.filterwarnings("ignore"),
]
ORPHAN = f"shop-{OLD}-5.lab.test"


@pytest.fixture
def dag(world: FakeWorld, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> DAG:
    """Return the DAG; its memory and its question to Airflow are the real ones."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr("snowmelt.operators.audit.AuditMemoryHook", AuditMemoryHook)
    for module in ("audit", "heal"):
        monkeypatch.setattr(f"snowmelt.operators.{module}.DagRunsHook", DagRunsHook)
    catalogue("shop", replicas=2)
    two_old(world)
    world.nodes.add(ORPHAN)
    world.vms[1].phase = "unknown"
    _end_rollouts()
    found: DAG = DagBag(str(DAGS)).dags["audit_fleet"]
    for task in found.tasks:
        task.retries = 0  # they would only take time here
    return found


def _end_rollouts() -> None:
    """Forget the runs of other tests: one that waits would be a rollout under way."""
    with create_session() as session:
        for each in session.query(DagRun).filter_by(dag_id="rollout_shop"):
            session.delete(each)


def run(dag: DAG, **params: Any) -> tuple[str, dict[str, str]]:
    done = dag.test(run_conf=params)
    return str(done.state), {ti.task_id: str(ti.state) for ti in done.get_task_instances()}


def test_a_preview_is_green_and_changes_nothing(world: FakeWorld, dag: DAG) -> None:
    state, tasks = run(dag)

    assert state == "success"
    assert tasks == {
        **dict.fromkeys(("audit", "brake", "mended"), "success"),
        **dict.fromkeys(("repair", "heal"), "skipped"),
    }
    assert world.story == []


@pytest.mark.parametrize("phase", ["unknown", "done"])
def test_a_repair_mends_and_starts_the_rollout_of_what_died(
    world: FakeWorld, dag: DAG, phase: VmPhase
) -> None:
    """Also of a VM that vanished: the repair takes away all that told of it."""
    world.vms[1].phase = phase
    state, tasks = run(dag, repair=True, grace=0)

    assert state == "success"
    assert set(tasks.values()) == {"success"}
    assert ORPHAN not in world.nodes
    with create_session() as session:
        (started,) = session.query(DagRun).filter_by(dag_id="rollout_shop", state="queued")
    conf = started.conf or {}
    assert conf["replace"] == "none"
    assert f"shop-{OLD}-1" in conf["reason"]


def test_the_brake_turns_the_run_red_before_anything_is_done(world: FakeWorld, dag: DAG) -> None:
    world.vms[0].phase = "unknown"
    state, tasks = run(dag, repair=True, grace=0)

    assert state == "failed"
    assert tasks["brake"] == "failed"
    assert tasks["repair"] == tasks["heal"] == tasks["mended"] == "upstream_failed"
    assert world.story == []


def test_what_cannot_be_mended_turns_the_run_red_and_the_dead_are_healed(
    world: FakeWorld, dag: DAG
) -> None:
    """One hand-made thing in one place must not keep a whole fleet from getting new VMs."""
    world.fail("deactivate", Conflict("not yours"))
    state, tasks = run(dag, repair=True, grace=0)

    assert state == "failed"
    assert tasks["repair"] == "failed"
    assert tasks["heal"] == "success"
    with create_session() as session:
        assert session.query(DagRun).filter_by(dag_id="rollout_shop", state="queued").count() == 1


def test_an_audit_that_failed_heals_nothing(world: FakeWorld, dag: DAG) -> None:
    """A system that was away for a moment may be there again when the others would act."""
    world.fail("vms", Unreachable("connection refused"))
    state, tasks = run(dag, repair=True, grace=0)

    assert state == "failed"
    assert tasks["audit"] == "failed"
    assert tasks["heal"] == "upstream_failed"
    assert world.story == []
