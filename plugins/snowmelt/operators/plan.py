"""Look, and decide: the first task of a rollout."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from include.catalogue import Service
from include.placement import moved, placement
from include.planner import (
    CannotSee,
    Plan,
    PlanError,
    Seen,
    Wanted,
    as_markdown,
    plan_rollout,
    rollout_id,
)
from snowmelt.catalogue import settled_fleet, settled_service
from snowmelt.errors import Refused, Unreachable
from snowmelt.hooks.placements import PlacementsHook
from snowmelt.look import look_around
from snowmelt.operators.step import as_list

if TYPE_CHECKING:
    from airflow.sdk import Context


class PlanRollout(BaseOperator):
    """Plan the rollout of *service* and print it. With `dry_run` nothing follows.

    Pushes {"service", "plan", "dry_run", "errors"}, to which the whole run is pinned, under the key
    "rollout". Returns the canary, for the group that is mapped over it: Airflow maps over return
    values only, so `clear_leftovers` returns the other new VMs and `watch_canary` the old ones.
    """

    ui_color = "#e8f7e4"

    def __init__(self, *, service: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.service = service

    def execute(self, context: Context) -> list[dict[str, Any]]:
        params = context["params"]
        service = settled_service(self.service)
        seen, dry_run = look_around(service), bool(params["dry_run"])
        plan = self._plan(service, seen, params, context)
        # to retire comes before a move: by force it would end VMs that their old pool still lists
        stay = self._must_not_move(service, seen, force=params["force"] and plan.replicas > 0)
        self.log.info("%s", as_markdown(plan))
        if dry_run:
            self.log.info("dry run: nothing is changed")
        elif not stay:
            PlacementsHook().write(service.name, placement(service))
        rollout = {
            "service": service.model_dump(mode="json"),
            "plan": plan.to_json(),
            "dry_run": dry_run,
            # the names of its new VMs are those of an earlier attempt, which may have left traces
            "again": context["ti"].try_number > 1,
            # what clients met until now: the proof tells what they meet from here on
            "errors": {
                vm.name: {"errors": vm.member.errors, "requests": vm.member.requests}
                for vm in seen.vms
                if vm.member
            },
        }
        context["ti"].xcom_push(key="rollout", value=rollout)
        return [] if dry_run else as_list(vm for vm in plan.new if vm.canary)

    def _must_not_move(self, service: Service, seen: Seen, *, force: bool) -> bool:
        """Return whether the VMs are known where they were; `Refused` where old ones are not.

        They would be ended while the pool that the file named before still lists them.
        """
        before, now = PlacementsHook().read(service.name), placement(service)
        cloud = "connections.opennebula"
        there = seen.vms or before.get(cloud, now[cloud]) != now[cloud]
        if (changed := moved(before, now)) and there and not force:
            raise Refused(
                f"{service.name} has VMs where its file pointed before: {'; '.join(changed)}."
                " Put the old file back, retire the service, and then change it; or run with force"
                " if it is the same place under another name, but not to retire it"
            )
        return before == now

    def _plan(
        self, service: Service, seen: Seen, params: Mapping[str, Any], context: Context
    ) -> Plan:
        wanted = Wanted.from_params(params)
        run = context["dag_run"]
        rollout = rollout_id(run.dag_id, run.run_id)
        whole = self._with_the_fleets_age(service, wanted)
        try:
            return plan_rollout(whole, wanted, seen, rollout, datetime.now(UTC))
        except CannotSee as error:
            raise Unreachable(str(error)) from error
        except PlanError as error:
            raise Refused(str(error)) from error

    def _with_the_fleets_age(self, service: Service, wanted: Wanted) -> Service:
        """Return what the plan is made with; a mistake in `fleet.yaml` stops no deployment.

        The run itself is pinned to the entry as its file has it: read once more as a file is, one
        whose certificates the fleet's age outlives would be refused. `all_problems` tells of it.
        """
        try:
            return settled_fleet().settled(service)
        except Refused as error:
            if wanted.replace == "outdated":  # it decides who goes
                raise
            self.log.warning("%s", error)
            return service
