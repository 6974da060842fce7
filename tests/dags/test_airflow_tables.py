"""Which rows go from Airflow's own tables, by the version of it that is pinned.

That they go is seen in the lab (tests/lab/test_clean_up.py): with SQLite Airflow's command meets
its own locks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.models.base import Base
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.serialization.definitions.baseoperator import SerializedBaseOperator
from airflow.utils.db_cleanup import config_dict
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import delete, select, text

from snowmelt.airflow_tables import clean, forget_dags, tell_archives

pytestmark = [
    pytest.mark.runs,
    pytest.mark.usefixtures("database"),
    pytest.mark.filterwarnings("ignore"),
]
NOW = datetime.now(UTC)
BEFORE = NOW - timedelta(days=30)
OLD = NOW - timedelta(days=60)

Made = Callable[..., None]


@pytest.fixture
def dag() -> Iterator[Made]:
    """`dag("rollout_gone")` puts a DAG of long ago there, with one run of one step."""
    made: list[str] = []

    def make(
        dag_id: str,
        *,
        stale: bool = True,
        parsed: datetime = OLD,
        file: str = "rollout.py",
        state: TaskInstanceState = TaskInstanceState.SKIPPED,
    ) -> None:
        made.append(dag_id)
        with create_session() as session:
            if session.get(DagBundleModel, "dags-folder") is None:
                session.add(DagBundleModel(name="dags-folder"))
                session.flush()
            session.add(
                DagModel(
                    dag_id=dag_id,
                    bundle_name="dags-folder",
                    relative_fileloc=file,
                    is_stale=stale,
                    last_parsed_time=parsed,
                    max_active_tasks=16,
                    max_consecutive_failed_dag_runs=0,
                )
            )
            session.flush()
            version = DagVersion(dag_id=dag_id, version_number=1, bundle_name="dags-folder")
            session.add(version)
            session.flush()
            run = DagRun(
                dag_id=dag_id,
                run_id="r",
                run_type=DagRunType.OPERATOR_TRIGGERED,
                run_after=OLD,
                start_date=OLD,
                state=DagRunState.SUCCESS,
                triggered_by=DagRunTriggeredByType.TEST,
            )
            session.add(run)
            session.flush()
            step = TaskInstance(
                SerializedBaseOperator(task_id="others"),
                dag_version_id=version.id,
                run_id="r",
                state=state,
            )
            step.dag_id = dag_id
            session.add(step)

    yield make
    with create_session() as session:
        for model in (TaskInstance, DagRun, DagVersion, DagModel):
            session.execute(delete(model).where(model.dag_id.in_(made)))


def left() -> set[str]:
    with create_session() as session:
        return {*session.scalars(select(DagModel.dag_id)), *session.scalars(select(DagRun.dag_id))}


def test_the_rollout_of_a_service_that_has_gone_goes_with_its_runs(dag: Made) -> None:
    dag("rollout_gone")
    forget_dags(BEFORE)

    assert "rollout_gone" not in left()


def test_a_dag_that_is_there_went_lately_or_is_not_ours_stays(dag: Made) -> None:
    dag("rollout_there", stale=False)
    dag("rollout_lately", parsed=NOW)
    dag("theirs")
    dag("rolloutXtheirs")
    dag("rollout_theirs", file="elsewhere/theirs.py")
    forget_dags(BEFORE)

    kept = {"rollout_there", "rollout_lately", "theirs", "rolloutXtheirs", "rollout_theirs"}
    assert kept <= left()


def test_one_whose_task_still_runs_stays(dag: Made, capsys: pytest.CaptureFixture[str]) -> None:
    dag("rollout_gone", state=TaskInstanceState.RUNNING)
    forget_dags(BEFORE)

    assert "rollout_gone" in left()
    assert "DAG rollout_gone stays: TaskInstances still running" in capsys.readouterr().out


def test_all_tables_are_cleaned_but_the_one_that_fails_and_the_runs_of_trials_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a trial left is known as ours by its run alone."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr("snowmelt.airflow_tables.run_cleanup", lambda **given: asked.update(given))
    clean(BEFORE)

    assert {"dag_run", "task_instance", "xcom", "log", "dag_version"} < {*asked["table_names"]}
    assert "dag" not in asked["table_names"]
    assert asked["exclude_dag_ids"] == ["refresh_image"]
    assert (asked["skip_archive"], asked["error_on_cleanup_failure"]) == (True, True)


def test_rows_are_left_out_by_their_dag_only_where_each_has_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else Airflow's command fails at a column that is not there, or keeps rows without a DAG."""
    monkeypatch.setattr("snowmelt.airflow_tables.run_cleanup", lambda **_: None)
    clean(BEFORE)
    known = Base.metadata.tables
    by_dag = {
        n: known[n].columns
        for n, c in config_dict.items()
        if n in known and c.dag_id_column is not None
    }

    assert "task_instance" in by_dag
    assert [n for n, its in by_dag.items() if "dag_id" not in its or its["dag_id"].nullable] == []


def test_copies_of_rows_are_told_and_stay(capsys: pytest.CaptureFixture[str]) -> None:
    """Who was killed half-way leaves one; so does who archives on purpose."""
    copies = "_airflow_deleted__log__20260101000000"
    with create_session() as session:
        session.execute(text("CREATE TABLE _airflow_deleted__log__20260101000000 (id INTEGER)"))
        session.commit()
        tell_archives(session)
        session.execute(text("DROP TABLE _airflow_deleted__log__20260101000000"))

    assert f"for `airflow db drop-archived`: {copies}" in capsys.readouterr().out
