"""The daily rotation: decide whose turn it is, and start each service's rollout in its turn."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from include.fleet import Budget, Decision, RotationPlan
from include.fleet.standing import UNABLE, Standing, as_json, from_json
from snowmelt.catalogue import settled_fleet
from snowmelt.errors import Refused, SnowmeltError
from snowmelt.operators.base import WaitOperator, deadline
from snowmelt.rotation_look import Standings, all_standings, look_and_decide
from snowmelt.rotation_start import Read, reader, start
from snowmelt.triggers.fleet import RotationTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


# after the last start of the day; a rollout that is still under way then is told, not stopped. With
# the 23 h of `rotation.duration` a day is over before the next one starts
FOLLOW = timedelta(hours=1)
ROUND = timedelta(hours=1)


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
        self.standings: Mapping[str, Standing] = {}

    def execute(self, context: Context) -> Any:
        if self.plan is None:
            raise AirflowSkipException("dry run")
        return self._turn(context, all_standings(RotationPlan.from_json(self.plan)))

    def go_on(self, context: Context, event: dict[str, Any]) -> Any:
        """Take the next turn, with what the trigger saw; who waited in place knows it still."""
        told = event.pop("standings", None)
        self.settle(event)
        return self._turn(context, self.standings if told is None else from_json(told))

    def _turn(self, context: Context, known: Standings) -> Any:
        """Start what may start, then wait until there is something to do again."""
        plan = RotationPlan.from_json(self.plan)
        budget = Budget.of(settled_fleet().budgets, plan)
        read = reader()
        late = time.time() > plan.ends + FOLLOW.total_seconds()
        try:
            decision, seen = look_and_decide(plan, budget, known, time.time(), read)
        except SnowmeltError as error:
            if late or isinstance(error, Refused):
                raise
            # a day has hundreds of looks: one that fails ends no try, it waits for the next one
            self.log.warning("cannot look: %s", error)
            return self._wait(context, budget, known)
        self._tell(decision, known, seen)
        if decision.over or late:
            return self._end(context, decision, seen)
        started = self._start(plan, decision, known, read)
        return self._wait(context, budget, {**seen, **started})

    def _tell(self, decision: Decision, before: Standings, now: Standings) -> None:
        for service in decision.failed:
            if before.get(service) != now[service]:
                self.log.error("%s failed: see its run, and what its roll_back says", service)

    def _wait(self, context: Context, budget: Budget, known: Standings) -> Any:
        self.standings = known
        trigger = RotationTrigger(
            plan=self.plan,
            budget=asdict(budget),
            standings=as_json(known),
            deadline=deadline(ROUND),
        )
        return self.wait(context, trigger, then="go_on")

    def _start(
        self, plan: RotationPlan, decision: Decision, known: Standings, read: Read
    ) -> Standings:
        note = f"from {self.dag_id}"
        return {
            turn.service: start(plan, turn, known.get(turn.service), note, time.time(), read)
            for turn in decision.start
        }

    def _end(self, context: Context, decision: Decision, known: Standings) -> dict[str, Any]:
        unable = {name: each.why for name, each in known.items() if each.state == UNABLE}
        late = {
            name: f"{why}: {known[name].why}"
            for name, why in decision.held.items()
            if name in known and known[name].why
        }
        held = {**decision.held, **late, **unable}
        left = [asdict(each.left) for each in known.values() if each.left]
        context["ti"].xcom_push(key="held", value=held)
        context["ti"].xcom_push(key="left", value=left)
        rotated = [service for service, each in known.items() if each.state == "success"]
        told = [
            *(f"{service} failed" for service in decision.failed),
            *(f"{service} is still under way" for service in decision.active),
            *(f"{service} was not started: {why}" for service, why in held.items()),
        ]
        if told:
            raise Refused(f"{len(rotated)} services were rotated. Not so: " + "; ".join(told))
        self.log.info("%s services were rotated", len(rotated))
        return {"rotated": len(rotated)}
