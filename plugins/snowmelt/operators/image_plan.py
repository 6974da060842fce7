"""Decide which VM templates follow to a new version of their image."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from include.catalogue import service_names
from include.images import CannotRefresh, Wish, plan_refresh
from include.planner import rollout_id
from include.trial import trial_plan, trial_service, tried_release
from snowmelt.catalogue import known_services, users_of
from snowmelt.errors import Refused
from snowmelt.hooks.opennebula_images import OpenNebulaImagesHook
from snowmelt.look import look

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.catalogue.model import Service


class PlanRefresh(BaseOperator):
    """Decide which VM templates follow to the new version, and which service tries it first.

    Returns {"cloud", "refresh", "trials", "dry_run", "deadline_s"}, to which the run is pinned.
    """

    ui_color = "#e8f7e4"

    def execute(self, context: Context) -> dict[str, Any]:
        params = context["params"]
        users = users_of("opennebula", known_services().values())
        conn_id = params["cloud"] or _only(users)
        cloud = OpenNebulaImagesHook(conn_id)
        services = {service.name: service for service in users.get(conn_id, ())}
        try:
            wish = _wish(params, _run(context))
            refresh = plan_refresh(
                wish, services.values(), cloud.templates(), cloud.images(), cloud.user
            )
            trials = [self._trial(services, change, context) for change in refresh.changes]
        except CannotRefresh as error:
            raise Refused(str(error)) from error
        self.log.info("%s", refresh)
        return {
            "cloud": conn_id,
            "refresh": refresh.to_json(),
            "trials": trials,
            "dry_run": bool(params["dry_run"]),
            "deadline_s": params["import_minutes"] * 60,
        }

    def _trial(self, services: dict[str, Service], change: Any, context: Context) -> dict[str, Any]:
        service = services[change.service]
        trial = trial_service(service, service_names())
        running = [vm.release for vm in look(service).vms if vm.phase == "running"]
        release = tried_release(service, running)
        plan = trial_plan(trial, _run(context), release, look(trial))
        self.log.info("%s tries it as %s, release %s", service.name, plan.new[0].name, release)
        return {
            "service": trial.model_dump(mode="json"),
            "plan": plan.to_json(),
            "dry_run": False,
            "disks": [dict(disk) for disk in change.after],
            "tries_for": service.name,
        }


def _run(context: Context) -> str:
    """Return this run in a word: trials and the image are named or marked by it."""
    run = context["dag_run"]
    return rollout_id(run.dag_id, run.run_id)


def _wish(params: Mapping[str, Any], run: str) -> Wish:
    return Wish(
        family=params["image"],
        version=params["version"],
        path=params["path"] or "",
        app=params["app"],
        run=run,
    )


def _only(users: Collection[str]) -> str:
    """Return the one OpenNebula that all services are on."""
    if len(users) != 1:
        there = ", ".join(users) or "no service names one"
        raise Refused(f"cloud: which OpenNebula gets the image? There are: {there}")
    return next(iter(users))
