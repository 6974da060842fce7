"""Waits for a run of another DAG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from include.front_doors import end_verdict, planned_verdict
from include.verdict import Verdict
from snowmelt.hooks.dag_runs import DagRunsHook
from snowmelt.triggers.base import WaitTrigger
from snowmelt.triggers.snapshot import shared

OTHERS_S = 60.0  # who holds the service is one sentence for people, and costs more than the rest


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
        if run.state == "queued":
            run = replace(run, others=await self._others())
        return (planned_verdict if self.until == "planned" else end_verdict)(run)

    async def _others(self) -> Mapping[str, Mapping[str, str | None]]:
        ask = partial(DagRunsHook().milestones, self.dag_id)
        runs = await shared(("milestones", self.dag_id), OTHERS_S, ask)
        return {run_id: tasks for run_id, tasks in runs.items() if run_id != self.run_id}
