"""A front door: start the rollout of a service once, show its plan, and end as it ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from include.catalogue import Service
from include.front_doors import (
    FRONT_DOORS,
    FrontDoor,
    child_run,
    rollout_conf,
    rollout_dag,
    slot_of,
    why_failed,
)
from include.last_good import last_good
from include.planner import Plan, as_markdown
from snowmelt.catalogue import settled_service
from snowmelt.errors import Missing, Refused, SnowmeltError
from snowmelt.hooks.dag_runs import DagRunsHook
from snowmelt.hooks.good_releases import GoodReleasesHook
from snowmelt.links import RolloutLink
from snowmelt.look import look
from snowmelt.operators.base import WaitOperator, deadline
from snowmelt.triggers.base import PauseTrigger
from snowmelt.triggers.dag_runs import RolloutTrigger
from snowmelt.why import TOLD_BY, WHY

if TYPE_CHECKING:
    from airflow.sdk import Context

# a service that was just added has its DAG when the dag-processor has read it
APPEARS = timedelta(minutes=10)
PAUSE = timedelta(seconds=5)


class FollowRollout(WaitOperator):
    """Start the rollout of a service, once, and follow it to its end.

    A subclass says of which service, and what it asks of it. The lock, the graph and the audit
    stay in `rollout_<service>`; when that fails, this fails with its reason.
    """

    operator_extra_links = (RolloutLink(),)
    ui_color = "#fff7e0"
    rollout_page = ""
    limit = timedelta(hours=24)  # the rollout before may hold the service's lock for long

    def service_name(self, context: Context) -> str:
        """Return the service that is meant."""
        raise NotImplementedError

    def prepare(self, context: Context) -> None:
        """Do what has to be done before the rollout starts; it may be done twice."""

    def conf(self, context: Context) -> dict[str, Any]:
        """Return the parameters of its rollout. Raises `Refused` for what cannot be meant."""
        raise NotImplementedError

    def execute(self, context: Context) -> Any:
        if not DagRunsHook().exists(*self._child(context)):
            self.prepare(context)
        return self.start(context)

    def start(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Start the rollout, once its DAG is there, or find the one that this run started."""
        dag_id, run_id = self._child(context)
        if not DagRunsHook().exists(dag_id, run_id):
            conf = self.conf(context)
            try:
                outcome = DagRunsHook().ensure_run(dag_id, run_id, conf, f"from {self.dag_id}")
            except Missing as missing:
                return self._wait_for_dag(context, missing)
            self.log.info("%s run of %s: %s", outcome, dag_id, told(conf))
        return self.follow(context, "planned", then="show_plan")

    def follow(self, context: Context, until: Literal["planned", "ended"], then: str) -> Any:
        """Wait for the rollout; the link to it is there meanwhile."""
        dag_id, run_id = self._child(context)
        self.rollout_page = DagRunsHook().address(dag_id, run_id)
        context["ti"].xcom_push(key=RolloutLink().xcom_key, value=self.rollout_page)
        trigger = RolloutTrigger(
            dag_id=dag_id, run_id=run_id, until=until, deadline=deadline(self.limit)
        )
        return self.wait(context, trigger, then=then)

    def show_plan(self, context: Context, event: dict[str, Any]) -> Any:
        """Print the plan as the rollout did, then wait for the end."""
        self.settle(event)
        rollout = DagRunsHook().pulled(*self._child(context), "plan", "rollout")
        if rollout:
            self.log.info("%s", as_markdown(Plan.from_json(rollout["plan"])))
        return self.follow(context, "ended", then="show_outcome")

    def show_outcome(self, context: Context, event: dict[str, Any]) -> dict[str, Any] | None:
        """End as the rollout did; return what its last task found."""
        dag_id, run_id = self._child(context)
        self.rollout_page = DagRunsHook().address(dag_id, run_id)
        if event["status"] != "done":
            if DagRunsHook().look(dag_id, run_id).state == "failed":  # not where it only takes long
                context["ti"].xcom_push(key=TOLD_BY, value=f"{dag_id} {run_id}")
            raise Refused(f"{event['detail']}: {self._why(dag_id, run_id)}")
        self.settle(event)
        found: dict[str, Any] | None = DagRunsHook().pulled(
            dag_id, run_id, "verify", "return_value"
        )
        self.log.info("%s", told(found) if found else "dry run: nothing was changed")
        return found

    def _wait_for_dag(self, context: Context, missing: Missing) -> Any:
        began = context["ti"].start_date
        if began and time.time() > began.timestamp() + APPEARS.total_seconds():
            raise SnowmeltError(f"{missing} after {APPEARS}: does the dag-processor run?")
        self.log.info("%s yet", missing)
        return self.wait(context, PauseTrigger(deadline=deadline(PAUSE)), then="start")

    def _child(self, context: Context) -> tuple[str, str]:
        run = context["dag_run"]
        return rollout_dag(self.service_name(context)), child_run(run.dag_id, run.run_id)

    def _why(self, dag_id: str, run_id: str) -> str:
        runs = DagRunsHook()
        return why_failed(
            [
                (task_id, runs.pulled(dag_id, run_id, task_id, WHY, map_index) or "")
                for task_id, map_index in runs.failed_tasks(dag_id, run_id)
            ]
        )


class GoThrough(FollowRollout):
    """Do what one front door asks, with what a person filled into its form."""

    def __init__(self, *, door: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.door = door

    def service_name(self, context: Context) -> str:
        return str(context["params"]["service"])

    def conf(self, context: Context) -> dict[str, Any]:
        asked, door = context["params"], FRONT_DOORS[self.door]
        service = settled_service(asked["service"])
        try:
            return {**rollout_conf(door, asked), **self._looked_up(door, service, asked)}
        except ValueError as error:
            raise Refused(str(error)) from error

    def _looked_up(
        self, door: FrontDoor, service: Service, asked: Mapping[str, Any]
    ) -> dict[str, Any]:
        if door.to_last_good:
            return self._release(service)
        return _slot(service, asked["vm"]) if door.of_one_vm else {}

    def _release(self, service: Service) -> dict[str, Any]:
        serving = {vm.release for vm in look(service).vms if vm.phase == "running"}
        good = last_good(GoodReleasesHook().read(service.name), serving)
        self.log.info("release %s was good: %s, %s", good.release, good.run, good.at)
        return {"release": good.release}


def _slot(service: Service, vm: str) -> dict[str, Any]:
    there = {seen.name for seen in look(service).vms if seen.phase != "done"}
    return {"slots": [slot_of(service.name, vm, there)]}


def told(values: Mapping[str, Any]) -> str:
    """Return "release=1.1, replace=all": what is said and not left open."""
    return ", ".join(f"{key}={value}" for key, value in values.items() if value not in (None, ""))
