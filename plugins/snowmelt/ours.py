"""Whose the rollout is that a name tells of: anybody may choose a name that reads like ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.front_doors import rollout_dag
from include.planner import rollout_id
from snowmelt.hooks.audit_memory import AuditMemoryHook

if TYPE_CHECKING:
    from airflow.sdk import Context


def known_rollouts(service: str, context: Context) -> frozenset[str]:
    """Return the rollouts ("shop-k3f7x2q") of a service that are ours, however little is left.

    Its hosts in monitoring tell too, but they are the first to go, and what comes after may fail.
    """
    runs = rollouts_of(rollout_dag(service), service, context)
    return runs | AuditMemoryHook().read().known


def rollouts_of(dag_id: str, service: str, context: Context) -> frozenset[str]:
    """Return the rollouts of a service whose runs Airflow still has.

    A rollout is the hash of its run, which nobody meets by chance. Airflow keeps runs for a month
    (`clean_up`), and a VM lives for a day. *dag_id*: of the runs; each begins with a task `plan`.
    """
    runs = context["ti"].get_task_states(dag_id=dag_id, task_ids=["plan"])
    return frozenset(f"{service}-{rollout_id(dag_id, run_id)}" for run_id in runs)
