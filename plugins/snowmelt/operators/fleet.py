"""The daily rotation: decide whose turn it is, and start each service's rollout in its turn."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from include.catalogue import Service
from include.fleet import Budget, Decision, RotationPlan, Turn, as_markdown, plan_turns
from include.fleet.problems import for_nobody
from include.planner import parse_name
from include.verdict import Outcome
from snowmelt.catalogue import clouds_of, readable_services, settled_fleet
from snowmelt.errors import Refused
from snowmelt.hooks.fleet_runs import FleetRunsHook
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.operators.base import WaitOperator, deadline
from snowmelt.rotation_look import UNABLE, States, all_states, at_last_try, look_and_decide
from snowmelt.triggers.fleet import RotationTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

# after the last start of the day; a rollout that is still under way then is told, not stopped. With
# the 23 h of `rotation.duration` a day is over before the next one starts
FOLLOW = timedelta(hours=1)
ROUND = timedelta(hours=1)


class PlanRotation(BaseOperator):
    """Say which services are rotated today, when, and which are left out and why.

    Returns the plan, to which the whole run is pinned; None on a dry run.
    """

    ui_color = "#e8f7e4"

    def execute(self, context: Context) -> dict[str, Any] | None:
        params, run = context["params"], context["dag_run"]
        fleet = settled_fleet()
        services, broken = readable_services()
        day, spread = _day(params["day"], fleet.day(run.run_after)), params["spread"]
        for problem in (*broken.values(), *for_nobody(fleet, [*services, *broken], day)):
            self.log.error("%s", problem)
        plan = plan_turns(
            fleet,
            services,
            day=day,
            began=run.run_after,
            in_use=slots_in_use(services.values()),
            spread=_is_daily(run) if spread is None else spread,
        ).only(params["services"] or (), fleet)
        plan = plan.limited(failures=params["failures"], at_once=params["at_once"])
        plan = at_last_try(plan, again=params["again"])
        self.log.info("%s", as_markdown(plan))
        if params["dry_run"]:
            self.log.info("dry run: nothing is started")
            return None
        return plan.to_json()


class RotateServices(WaitOperator):
    """Start each rotation in its turn, follow all of them, and fail with the list of the failed.

    Nothing is kept between two looks but the plan: killed and started again, it finds the runs
    that are there by their names.
    """

    template_fields: Sequence[str] = ("plan",)
    ui_color = "#fff7e0"

    def __init__(self, *, plan: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.states: dict[str, str] = {}

    def execute(self, context: Context) -> Any:
        if self.plan is None:
            raise AirflowSkipException("dry run")
        return self._turn(context, all_states(RotationPlan.from_json(self.plan)))

    def go_on(self, context: Context, event: dict[str, Any]) -> Any:
        """Take the next turn, with what the trigger saw; who waited in place knows it still."""
        states = event.pop("states", self.states)
        self.settle(event)
        return self._turn(context, states)

    def _turn(self, context: Context, states: States) -> Any:
        """Start what may start, then wait until there is something to do again."""
        plan = RotationPlan.from_json(self.plan)
        budget = Budget.of(settled_fleet().budgets, plan)
        decision, seen = look_and_decide(plan, budget, states, time.time())
        for service in decision.failed:
            if states.get(service) != seen[service]:
                self.log.error("%s failed; its old VMs serve on", service)
        started = {turn.service: self._start(plan, turn) for turn in decision.start}
        if decision.over or time.time() > plan.ends + FOLLOW.total_seconds():
            return self._end(context, decision, seen)
        return self._wait(context, budget, {**seen, **started})

    def _wait(self, context: Context, budget: Budget, states: States) -> Any:
        self.states = dict(states)
        trigger = RotationTrigger(
            plan=self.plan, budget=asdict(budget), states=self.states, deadline=deadline(ROUND)
        )
        return self.wait(context, trigger, then="go_on")

    def _start(self, plan: RotationPlan, turn: Turn) -> str:
        """Return the state of its run: a service that cannot start counts as failed."""
        try:
            outcome = FleetRunsHook().ensure_run(
                turn.dag_id,
                turn.run_id,
                {"reason": f"rotation of {plan.day}"},
                note=f"from {self.dag_id}",
            )
        except Refused as error:
            return f"{UNABLE}{error}"
        if outcome is Outcome.CREATED:
            self.log.info("start %s: %s VMs (%s)", turn.service, turn.slots, turn.run_id)
        return "queued"

    def _end(self, context: Context, decision: Decision, states: States) -> dict[str, Any]:
        unable = {s: v.removeprefix(UNABLE) for s, v in states.items() if v.startswith(UNABLE)}
        held = {**decision.held, **unable}
        context["ti"].xcom_push(key="held", value=held)
        rotated = [service for service, state in states.items() if state == "success"]
        told = [
            *(f"{service} failed" for service in decision.failed if service not in unable),
            *(f"{service} is still under way" for service in decision.active),
            *(f"{service} was not started: {why}" for service, why in held.items()),
        ]
        if told:
            raise Refused(f"{len(rotated)} services were rotated. Not so: " + "; ".join(told))
        self.log.info("%s services were rotated", len(rotated))
        return {"rotated": len(rotated)}


def _day(asked: str | None, today: date) -> date:
    """Return the day that a run is of; one that has not come would end the chain of proofs."""
    if asked is None:
        return today
    try:
        day = date.fromisoformat(asked)
    except ValueError as error:
        raise Refused(f"day: there is no {asked}") from error
    if day > today:
        raise Refused(f"day: {asked} has not come yet, today is {today}")
    return day


def _is_daily(run: Any) -> bool:
    """Somebody who starts a rotation by hand waits for it."""
    return str(getattr(run.run_type, "value", run.run_type)) == "scheduled"


def slots_in_use(services: Iterable[Service]) -> dict[str, int]:
    """Return how many slots of each service have a VM: one look for each OpenNebula."""
    slots: dict[str, set[int]] = {}
    for cloud in clouds_of(services):
        for vm in OpenNebulaHook(cloud).vm_states():
            name = parse_name(vm.name)
            if name and vm.phase != "done":
                slots.setdefault(name.service, set()).add(name.slot)
    return {service: len(found) for service, found in slots.items()}
