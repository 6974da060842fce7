"""Look, and decide: the first task of a rollout."""

from __future__ import annotations

from collections.abc import Mapping
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
from snowmelt.operators.step import as_list

if TYPE_CHECKING:
    from airflow.sdk import Context


class PlanRollout(BaseOperator):
    """Plan the rollout of *service* and print it. With `dry_run` nothing follows.

    Pushes {"service", "plan", "dry_run"}, to which the whole run is pinned, under the key
    "rollout". Returns the canary, for the group that is mapped over it: Airflow maps over return
    values only, so `clear_leftovers` returns the other new VMs and `watch_canary` the old ones.
    """

    ui_color = "#e8f7e4"

    def __init__(self, *, service: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.service = service

    def execute(self, context: Context) -> list[dict[str, Any]]:
        params = context["params"]
        service = self._load()
        plan = self._plan(service, params, context)
        self.log.info("%s", as_markdown(plan))
        dry_run = bool(params["dry_run"])
        if dry_run:
            self.log.info("dry run: nothing is changed")
        rollout = {
            "service": service.model_dump(mode="json"),
            "plan": plan.to_json(),
            "dry_run": dry_run,
        }
        context["ti"].xcom_push(key="rollout", value=rollout)
        return [] if dry_run else as_list(vm for vm in plan.new if vm.canary)

    def _load(self) -> Service:
        try:
            return load_service(self.service)
        except CatalogueError as error:
            raise Refused(str(error)) from error

    def _plan(self, service: Service, params: Mapping[str, Any], context: Context) -> Plan:
        wanted = Wanted.from_params(params)
        run = context["dag_run"]
        rollout = rollout_id(run.dag_id, run.run_id)
        try:
            return plan_rollout(service, wanted, look(service), rollout, datetime.now(UTC))
        except CannotSee as error:
            raise Unreachable(str(error)) from error
        except PlanError as error:
            raise Refused(str(error)) from error
