"""A stand-in for the runs of many DAGs."""

from __future__ import annotations

from tests.plugins.snowmelt.fake_airflow import FakeDagRuns
from tests.plugins.snowmelt.fake_machines import verb
from tests.plugins.snowmelt.world import FakeRun


class FakeFleetRuns(FakeDagRuns):
    @verb
    def state(self, dag_id: str, run_id: str) -> str:
        run = self.world.runs.get((dag_id, run_id))
        return self._ended(dag_id, run) if run else ""

    @verb
    def state_if_any(self, dag_id: str, run_id: str) -> str:
        run = self.world.runs.get((dag_id, run_id))
        return self._ended(dag_id, run) if run else ""

    @verb
    def under_way(self, dag_id: str) -> int:
        runs = [run for (dag, _), run in self.world.runs.items() if dag == dag_id]
        return sum(run.state in ("queued", "running") for run in runs)

    def _ended(self, dag_id: str, run: FakeRun) -> str:
        why = self.world.failing.get(dag_id)
        if run.state == "success" and run.ends_s is not None and why:
            run.state, run.tasks = "failed", {"watch_canary": "failed"}
            run.pushed["watch_canary", -1, "why"] = why
        return run.state
