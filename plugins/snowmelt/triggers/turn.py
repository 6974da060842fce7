"""The wait of a replacement for its turn in a rolling rollout."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from include.catalogue.model import Service
from include.planner import Plan, may_start
from include.verdict import Verdict, failed
from snowmelt.failures import failed_steps, stopped
from snowmelt.look import asked, look_at_traffic
from snowmelt.triggers.base import WaitTrigger
from snowmelt.triggers.snapshot import shared


@dataclass(kw_only=True, eq=False, repr=False)
class MyTurnTrigger(WaitTrigger):
    """Wait until the window has room for *name*: the VM that comes, or one that only goes.

    A step of this run that fails stops the window. So does a replacement that makes no progress
    for `patience_s`; a restart of the triggerer counts that anew.
    """

    service: dict[str, Any]
    plan: dict[str, Any]
    name: str
    dag_id: str
    run_id: str
    steps: list[str]
    patience_s: float
    interval: float = 2.0
    said: str = field(default="", init=False)
    since: float = field(default=0.0, init=False)

    async def check(self) -> Verdict:
        broken = await shared(
            ("failed", self.dag_id, self.run_id),
            self.interval / 2,
            lambda: failed_steps(self.dag_id, self.run_id, self.steps),
        )
        if broken:
            return failed(stopped(self.name, broken))
        service, plan = Service.model_validate(self.service), Plan.from_json(self.plan)
        key = ("look", asked(service), service.name, plan.rollout)
        seen = await shared(key, self.interval / 2, lambda: look_at_traffic(service, plan.scope))
        return self._not_for_ever(may_start(service, plan, seen, self.name))

    def _not_for_ever(self, verdict: Verdict) -> Verdict:
        if verdict.detail != self.said:
            self.said, self.since = verdict.detail, time.time()
        still = verdict.status == "pending" and time.time() - self.since > self.patience_s
        return failed(f"nothing moves: {verdict.detail}") if still else verdict
