"""Which steps of a run have failed: the one thing about a rollout that only Airflow knows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from snowmelt.errors import Unreachable

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

_COMES = ("create_vm", "publish_dns", "enrol_in_puppet", "monitor_vm", "join_balancer", "watch")
_GOES = ("drain", "leave_balancer", "retire_identity", "terminate_vm")
_FAILED = frozenset({"failed", "upstream_failed"})


def failed_steps(
    dag_id: str,
    run_id: str,
    task_ids: Sequence[str],
    ask: Callable[..., dict[str, Any]] = RuntimeTaskInstance.get_task_states,
) -> tuple[str, ...]:
    """Return those of *task_ids* that have failed, with their place: "replace.drain_3"."""
    try:
        found = ask(dag_id=dag_id, run_ids=[run_id], task_ids=list(task_ids))
    except AirflowRuntimeError as error:
        raise Unreachable(f"Airflow does not say which steps have failed: {error}") from error
    states = found.get(run_id, {})
    return tuple(sorted(key for key, state in states.items() if state in _FAILED))


def failed_before(
    task: BaseOperator, context: Context, *, but: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the steps right before *task* that have failed, *but* those of these names."""
    ti = context["ti"]
    before = sorted(t for t in task.upstream_task_ids if t.rpartition(".")[2] not in but)
    return failed_steps(ti.dag_id, ti.run_id, before, ti.get_task_states)


def places(steps: Collection[str]) -> frozenset[int]:
    """Return the places in their group of mapped *steps*."""
    ends = (step.rpartition("_")[2] for step in steps)
    return frozenset(int(end) for end in ends if end.isdecimal())


def siblings(task_id: str) -> tuple[str, ...]:
    """Return all steps of the replacement to which a task belongs."""
    group = task_id.rpartition(".")[0]
    return tuple(f"{group}.{step}" if group else step for step in (*_COMES, *_GOES))


def stopped(name: str, failed: Sequence[str]) -> str:
    """Say why a VM does not get its turn any more; what only fell with another step is not said."""
    causes = ", ".join(_first_of_each_place(failed))
    return f"{name} does not start: {causes} failed, and the window has stopped"


def _first_of_each_place(failed: Sequence[str]) -> list[str]:
    first: dict[str, str] = {}
    for step in sorted(failed, key=_in_the_chain):
        first.setdefault(step.rpartition("_")[2], step)
    return list(first.values())


def _in_the_chain(step: str) -> int:
    chain = (*_COMES, *_GOES)
    verb = step.rpartition(".")[2].rpartition("_")[0]
    return chain.index(verb) if verb in chain else len(chain)
