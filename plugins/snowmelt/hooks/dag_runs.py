"""Runs of other DAGs, through the task API of Airflow: start one once, look at it, read from it.

Everything goes through the supervisor of the task or of the triggerer: no account, no database.
Airflow's modules are imported where they are used, because DAG files are parsed far more often.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from include.facts import ACTIVE, DagRun
from include.front_doors import MILESTONES
from include.verdict import Outcome
from snowmelt.errors import Missing, Refused, Unreachable


class DagRunsHook:
    """Airflow itself as one more system: a run of a DAG is found by its id."""

    def look(self, dag_id: str, run_id: str) -> DagRun:
        """Return the state of the run and of its task instances."""
        try:
            state = ask("get_dagrun_state", dag_id, run_id)
        except Missing:
            return DagRun(state=None)
        return DagRun(state=str(state.value), tasks=self.states(dag_id, run_id))

    def milestones(self, dag_id: str) -> dict[str, dict[str, str | None]]:
        """Return, of each run that Airflow still has, how far it came: `MILESTONES` alone.

        Which of them is under way it does not say. Not to be asked every few seconds: it reads rows
        of all the runs of a month.
        """
        found = ask("get_task_states", dag_id=dag_id, task_ids=list(MILESTONES))
        return {run_id: dict(tasks) for run_id, tasks in found.items()}

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return the state of each task instance: of `drain`, or `drain_3` in a mapped group.

        The one question about a run that the dag-processor answers too, where callbacks are.
        """
        found = ask("get_task_states", dag_id=dag_id, run_ids=[run_id])
        return dict(found.get(run_id, {}))

    def exists(self, dag_id: str, run_id: str) -> bool:
        """Return whether the run is there, in whatever state."""
        return bool(ask("get_dr_count", dag_id=dag_id, run_ids=[run_id]))

    def under_way(self, dag_id: str) -> int:
        """Return how many runs of the DAG wait or run: one that waits may begin at any moment."""
        return int(ask("get_dr_count", dag_id=dag_id, states=list(ACTIVE)))

    def ensure_run(
        self, dag_id: str, run_id: str, conf: Mapping[str, Any], note: str = ""
    ) -> Outcome:
        """Start the run; one of that id that is there already is this one.

        Raises `Missing` while Airflow does not know the DAG, `Refused` when it is paused.
        """
        from airflow.sdk.execution_time.comms import ErrorResponse, GetDag, TriggerDagRun

        if _send(GetDag(dag_id=dag_id)).is_paused:
            raise Refused(f"{dag_id} is paused, so nothing would happen: unpause it first")
        asked = TriggerDagRun(dag_id=dag_id, run_id=run_id, conf=dict(conf), note=note or None)
        answer = _send(asked)
        return Outcome.UNCHANGED if isinstance(answer, ErrorResponse) else Outcome.CREATED

    def pulled(self, dag_id: str, run_id: str, task_id: str, key: str, map_index: int = -1) -> Any:
        """Return what a task instance of the run pushed, or None."""
        from airflow.sdk.execution_time.xcom import XCom

        return XCom.get_one(
            key=key, dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index
        )

    def failed_tasks(self, dag_id: str, run_id: str) -> list[tuple[str, int]]:
        """Return (task id, map index) of each task instance that failed itself."""
        crumbs = ask("get_task_breadcrumbs", dag_id, run_id)
        return [(str(c["task_id"]), int(c["map_index"])) for c in crumbs if c["state"] == "failed"]

    def address(self, dag_id: str, run_id: str) -> str:
        """Return the page of the run in Airflow's own UI."""
        from airflow.utils.helpers import build_airflow_dagrun_url

        return str(build_airflow_dagrun_url(dag_id=dag_id, run_id=run_id))


def ask(verb: str, *args: Any, **kwargs: Any) -> Any:
    """Call one of the static methods by which Airflow lets tasks and triggers look."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    with _errors(verb):
        return getattr(RuntimeTaskInstance, verb)(*args, **kwargs)


def _send(message: Any) -> Any:
    from airflow.sdk.execution_time import task_runner

    with _errors(f"{type(message).__name__} {message.dag_id}"):
        return task_runner.SUPERVISOR_COMMS.send(message)


@contextmanager
def _errors(what: str) -> Iterator[None]:
    from airflow.sdk.exceptions import AirflowRuntimeError

    try:
        yield
    except AirflowRuntimeError as error:
        detail = error.error.detail or {}
        kind = Missing if detail.get("status_code") == 404 else Unreachable
        raise kind(f"Airflow: {what}: {detail.get('detail') or error}") from error
