"""What a failed run came to, and the notifiers that carry it to people."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowTaskTimeout
from airflow.sdk.execution_time.timeout import timeout

from include.catalogue.fleet import fleet_file, load_fleet
from include.failure import MOST, FailedStep, Failure, failed_steps, is_rollout, service_of
from snowmelt.hooks.dag_runs import DagRunsHook
from snowmelt.notifiers import send
from snowmelt.why import TOLD_BY, WHY, in_one_line

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

# seconds for one notifier: after 50 the dag-processor kills what it runs, with all others to tell
LIMIT = 10


def notify(context: Context) -> None:
    """Call each notifier for a run that has failed; one that fails itself stops no other."""
    with _one_line("nobody is told"):
        failure = _look(context)
        log.error("%s", failure.title)
        if failure.is_told:
            log.info("told already, by %s", failure.steps[0].told_by)
            return
        if before := _same_before(context, failure):
            log.info("told already, of %s", before)
            return
        for number, each in enumerate(load_fleet().notify):
            with _one_line(f"{fleet_file()}: notify.{number}"), timeout(LIMIT, "no answer"):
                send(each, context, failure=failure)


def _look(context: Context) -> Failure:
    """Return what there is to tell; where Airflow does not answer, without the steps."""
    dag, run_id = context["dag"], context["run_id"]
    steps: list[FailedStep] = []
    with _one_line("which steps have failed is not known"):
        steps = _steps(dag.dag_id, run_id, dag.task_ids)
    page = DagRunsHook().address(dag.dag_id, run_id)
    return Failure(
        dag_id=dag.dag_id,
        run_id=run_id,
        service=service_of(dag.dag_id, context.get("params", {})),
        end=context.get("reason") or "",
        steps=steps,
        page=page if page.startswith("http") else "",  # Airflow may not know its own address
    )


def _steps(dag_id: str, run_id: str, task_ids: list[str]) -> list[FailedStep]:
    runs = DagRunsHook()

    def said(key: str, step: FailedStep) -> str:
        return runs.pulled(dag_id, run_id, step.task_id, key, step.place) or ""

    # a rollout follows no other, and Airflow logs an error for each key that is not there
    follows = not is_rollout(dag_id)
    failed = failed_steps(runs.states(dag_id, run_id), task_ids)
    told = [
        replace(step, why=said(WHY, step), told_by=said(TOLD_BY, step) if follows else "")
        for step in failed[:MOST]
    ]
    return told + failed[MOST:]


def _same_before(context: Context, failure: Failure) -> str:
    """Return the scheduled run before this one that failed of the same on the same day, if any.

    `expire_requests` runs every five minutes: who sleeps is woken once for a system that is away.
    """
    run, ti = context.get("dag_run"), context.get("ti")
    if run is None or ti is None or run.run_type != "scheduled":
        return ""
    with _one_line("the run before is not known"):
        before = ti.get_previous_dagrun()
        if before is None or before.state != "failed" or _day(before) != _day(run):
            return ""
        dag = context["dag"]
        same = _steps(dag.dag_id, before.run_id, dag.task_ids) == failure.steps
        return before.run_id if same else ""
    return ""


def _day(run: Any) -> date:
    day: date = run.run_after.date()
    return day


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Log in one line what went wrong: to tell of a failure must not be one more."""
    try:
        yield
    except (Exception, AirflowTaskTimeout) as error:  # noqa: BLE001 - whatever a notifier raises
        log.error("%s: %s", what, in_one_line(error))  # noqa: TRY400
