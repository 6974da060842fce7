"""Waits for the rotation of a day, one look for all services."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from airflow.triggers.base import TriggerEvent

from include.fleet import Budget, RotationPlan
from include.fleet.standing import as_json, from_json
from include.verdict import Verdict, done, pending
from snowmelt.rotation_look import look_and_decide
from snowmelt.rotation_start import reader
from snowmelt.triggers.base import WaitTrigger
from snowmelt.triggers.snapshot import shared


@dataclass(kw_only=True, eq=False, repr=False)
class RotationTrigger(WaitTrigger):
    """Wait until a rotation may start, or until the day's rotation is over.

    `standings` are those of the services whose turn has come, as `to_json` makes them; what has
    become of them goes back with the event, so that nobody has to ask for all of them again.
    """

    plan: dict[str, Any]
    budget: dict[str, int]
    standings: dict[str, dict[str, Any]]
    # Ten runs under way are ten questions, and each makes the triggerer look at all its triggers in
    # the database: every 2 s they took a fifth of a core. A rollout takes minutes.
    interval: float = 5.0

    async def check(self) -> Verdict:
        plan, budget = RotationPlan.from_json(self.plan), Budget(**self.budget)
        key = ("rotation", plan.day, json.dumps(self.standings, sort_keys=True))
        decision, now = await shared(
            key,
            self.interval / 2,
            lambda: look_and_decide(plan, budget, from_json(self.standings), time.time(), reader()),
        )
        self.standings = as_json(now)
        if decision.start:
            return done("may start: " + ", ".join(turn.service for turn in decision.start))
        if decision.over:
            return done("nothing is under way any more")
        return pending(
            f"{len(decision.active)} services under way, {len(decision.held)} wait,"
            f" {len(decision.failed)} failed"
        )

    def expired(self, last: Verdict) -> Verdict:
        return done(f"look again: {last.detail}")

    async def run(self) -> AsyncIterator[TriggerEvent]:
        verdict = await self.decided()
        known = {"standings": self.standings} if verdict.status == "done" else {}
        yield TriggerEvent({**verdict.to_event(), **known})
