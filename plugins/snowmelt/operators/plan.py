"""Look, and decide: the first task of a rollout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from include.catalogue import CatalogueError, Service, load_service
from include.planner import (
    CannotSee,
    Plan,
    PlanError,
    Wanted,
    as_markdown,
    plan_rollout,
    rollout_id,
)
from snowmelt.errors import Refused, Unreachable
from snowmelt.look import look

if TYPE_CHECKING:
    from airflow.sdk import Context


class PlanRollout(BaseOperator):
    """Plan the rollout of *service* and print it. With `dry_run` nothing follows.

    Returns {"service", "plan", "dry_run"}, to which the whole run is pinned, and pushes the VMs
    under the keys "canary", "others" and "old", for the groups that are mapped over them.
    """

    ui_color = "#e8f7e4"

    def __init__(self, *, service: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.service = service

    def execute(self, context: Context) -> dict[str, Any]:
        params = context["params"]
        service = self._load()
        plan = self._plan(service, params, context)
        self.log.info("%s", as_markdown(plan))
        dry_run = bool(params["dry_run"])
        if dry_run:
            self.log.info("dry run: nothing is changed")
        for key, vms in _groups(plan, dry_run=dry_run).items():
            context["ti"].xcom_push(key=key, value=[vm.to_json() for vm in vms])
        return {
            "service": service.model_dump(mode="json"),
            "plan": plan.to_json(),
            "dry_run": dry_run,
        }

    def _load(self) -> Service:
        try:
            return load_service(self.service)
        except CatalogueError as error:
            raise Refused(str(error)) from error

    def _plan(self, service: Service, params: Mapping[str, Any], context: Context) -> Plan:
        wanted = Wanted(
            release=params["release"] or None,
            replicas=params["replicas"],
            replace=params["replace"],
            force=params["force"],
            reason=params["reason"] or "",
        )
        run = context["dag_run"]
        rollout = rollout_id(run.dag_id, run.run_id)
        try:
            return plan_rollout(service, wanted, look(service), rollout, datetime.now(UTC))
        except CannotSee as error:
            raise Unreachable(str(error)) from error
        except PlanError as error:
            raise Refused(str(error)) from error


def _groups(plan: Plan, *, dry_run: bool) -> dict[str, Sequence[Any]]:
    if dry_run:
        return {"canary": (), "others": (), "old": ()}
    return {
        "canary": [vm for vm in plan.new if vm.canary],
        "others": [vm for vm in plan.new if not vm.canary],
        "old": plan.old,
    }
