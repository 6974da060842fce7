"""The plan of the daily rotation: whose turn it is today, and when."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from include.fleet import as_markdown, plan_turns
from include.fleet.problems import for_nobody
from snowmelt.catalogue import readable_services, settled_fleet
from snowmelt.errors import Refused
from snowmelt.rotation_look import at_last_try
from snowmelt.rotation_start import slots_in_use

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.catalogue.fleet import Fleet


LATE = timedelta(hours=1)  # what a busy Airflow or yesterday's rotation may cost a night


class PlanRotation(BaseOperator):
    """Say which services are rotated today, when, and which are left out and why.

    Returns the plan, to which the whole run is pinned; None on a dry run.
    """

    ui_color = "#e8f7e4"

    def execute(self, context: Context) -> dict[str, Any] | None:
        params, run = context["params"], context["dag_run"]
        fleet = settled_fleet()
        services, broken = readable_services()
        day, spread = self._day(params["day"], fleet, run.run_after), params["spread"]
        for problem in (*broken.values(), *for_nobody(fleet, [*services, *broken], day)):
            self.log.error("%s", problem)
        plan = plan_turns(
            fleet,
            services,
            day=day,
            began=run.run_after,
            in_use=slots_in_use(services.values()),
            spread=_is_daily(run) if spread is None else spread,
            starts=_late_start(run),
        ).only(params["services"] or (), fleet)
        plan = plan.limited(failures=params["failures"], at_once=params["at_once"])
        plan = at_last_try(plan, again=params["again"])
        self.log.info("%s", as_markdown(plan))
        if params["dry_run"]:
            self.log.info("dry run: nothing is started")
            return None
        return plan.to_json()

    def _day(self, asked: str | None, fleet: Fleet, now: datetime) -> date:
        """Return the day that a run is of; one of which nothing could be proved is refused."""
        from snowmelt.proof.store import Store

        store = Store(fleet.proof.store)
        if asked is None:
            return fleet.day(now)
        try:
            day = date.fromisoformat(asked)
        except ValueError as error:
            raise Refused(f"day: there is no {asked}") from error
        if day > fleet.day(now):
            raise Refused(f"day: {asked} has not come yet, today is {fleet.day(now)}")
        store.refuse_if_chained(asked)
        return day


def _is_daily(run: Any) -> bool:
    """Somebody who starts a rotation by hand waits for it."""
    return str(getattr(run.run_type, "value", run.run_type)) == "scheduled"


def _late_start(run: Any) -> datetime | None:
    """Return when a daily run began that was due hours before, None for all others.

    Unpaused in the morning, the DAG begins the night's run at once. A run that was cleared may have
    begun in time: Airflow gives it a new start then, so its minutes stay where they were.
    """
    if not _is_daily(run) or run.clear_number:
        return None
    started: datetime | None = run.start_date
    return started if started and started > run.run_after + LATE else None
