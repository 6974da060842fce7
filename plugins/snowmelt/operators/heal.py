"""Replace what an audit finds broken, by a rollout of its service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from include.audit import heal, in_turn
from include.catalogue.fleet import Budgets
from include.front_doors import rollout_dag
from snowmelt.catalogue import settled_fleet
from snowmelt.errors import Refused, SnowmeltError, raise_all
from snowmelt.hooks.dag_runs import DagRunsHook
from snowmelt.operators.audit import AuditOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class HealFleet(AuditOperator):
    """Start a rollout of each service that has something broken, one for each audit.

    What the audit saw broken, and a fresh look as well: a slot that was broken yesterday may hold a
    whole VM by now. It does not wait for them: each is a run of its own, with its own way back.
    At most so many are under way at once as services in a rotation; the others are left to the next
    audit: much may be dead that the brake lets pass, and each rollout asks OpenNebula for VMs.
    """

    template_fields: Sequence[str] = ("broken",)

    def __init__(self, *, broken: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.broken = broken

    def execute(self, context: Context) -> list[str]:
        found = self.for_change(context, self.broken)
        wanted = heal(found.judged)
        if not wanted:
            raise_all(found.unseen)
            raise AirflowSkipException("nothing to heal")
        allowed, under_way = self._allowed(), len(found.healing)
        started, failed = list[str](), list[SnowmeltError]()
        for service in in_turn(found.judged, context["dag_run"].run_id):
            if under_way + len(started) >= allowed:
                self.log.warning("rollout_%s is not started: %s", service, _full(allowed))
                continue
            try:
                started += self._heal(service, wanted[service], context)
            except SnowmeltError as error:
                self.log.warning("rollout_%s: %s", service, error)
                failed.append(error)
        raise_all([*failed, *found.unseen])
        return started

    def _allowed(self) -> int:
        """A mistake in `fleet.yaml` must not stop this: the repair has removed what told of it."""
        try:
            return settled_fleet().budgets.services
        except Refused as error:
            self.log.warning("%s", error)
            return Budgets().services

    def _heal(self, service: str, params: dict[str, Any], context: Context) -> list[str]:
        dag_id, run_id = rollout_dag(service), f"audit__{context['dag_run'].run_id}"
        runs = DagRunsHook()
        if runs.exists(dag_id, run_id):
            self.log.info("%s: an earlier try started it: %s", dag_id, run_id)
            return [dag_id]
        if runs.under_way(dag_id):
            self.log.info("%s is under way: it replaces what is broken as well", dag_id)
            return []
        outcome = runs.ensure_run(dag_id, run_id, params, note="from audit_fleet")
        self.log.info("%s run of %s: %s", outcome, dag_id, params["reason"])
        return [dag_id]


def _full(allowed: int) -> str:
    return f"{allowed} services are under way, as many as budgets.services of fleet.yaml allows"
