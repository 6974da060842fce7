"""Waits for a run of another DAG."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from include.front_doors import end_verdict, planned_verdict
from include.verdict import Verdict
from snowmelt.hooks.dag_runs import DagRunsHook
from snowmelt.triggers.base import WaitTrigger
from snowmelt.triggers.snapshot import shared


@dataclass(kw_only=True, eq=False, repr=False)
class RolloutTrigger(WaitTrigger):
    """Wait until a rollout has its plan, or until it has ended."""

    dag_id: str
    run_id: str
    until: Literal["planned", "ended"]
    interval: float = 5.0

    async def check(self) -> Verdict:
        look = partial(DagRunsHook().look, self.dag_id, self.run_id)
        run = await shared(("run", self.dag_id, self.run_id), self.interval / 2, look)
        return (planned_verdict if self.until == "planned" else end_verdict)(run)
