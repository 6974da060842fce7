"""Stand-ins for what the product asks of Airflow itself: runs of DAGs, and Variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.facts import DagRun
from include.front_doors import MILESTONES
from include.last_good import Good
from include.verdict import Outcome
from snowmelt.errors import Missing
from tests.plugins.snowmelt.fake_machines import Fake, verb
from tests.plugins.snowmelt.world import FakeRun


class FakeDagRuns(Fake):
    @verb
    def look(self, dag_id: str, run_id: str) -> DagRun:
        run = self.world.runs.get((dag_id, run_id))
        if run is None:
            return DagRun(state=None)
        return DagRun(state=run.state, tasks=dict(run.tasks))

    @verb
    def milestones(self, dag_id: str) -> dict[str, dict[str, str | None]]:
        runs = {name: each.tasks for (dag, name), each in self.world.runs.items() if dag == dag_id}
        return {n: {t: s for t, s in has.items() if t in MILESTONES} for n, has in runs.items()}

    @verb
    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        return dict(self.world.runs[dag_id, run_id].tasks)

    @verb
    def exists(self, dag_id: str, run_id: str) -> bool:
        return (dag_id, run_id) in self.world.runs

    @verb
    def under_way(self, dag_id: str) -> int:
        runs = self.world.runs.items()
        return sum(dag == dag_id and r.state in ("queued", "running") for (dag, _), r in runs)

    @verb
    def ensure_run(
        self, dag_id: str, run_id: str, conf: Mapping[str, Any], note: str = ""
    ) -> Outcome:
        if self.world.dags_after > self.world.clock.now:
            raise Missing(f"Airflow knows no DAG {dag_id}")
        if (dag_id, run_id) in self.world.runs:
            return Outcome.UNCHANGED
        self.world.runs[dag_id, run_id] = FakeRun(
            conf=dict(conf), began=self.world.clock.now, ends_s=self.world.new_runs_end_s
        )
        self.tell(f"start {dag_id}")
        return Outcome.CREATED

    @verb
    def pulled(self, dag_id: str, run_id: str, task_id: str, key: str, map_index: int = -1) -> Any:
        return self.world.runs[dag_id, run_id].pushed.get((task_id, map_index, key))

    @verb
    def failed_tasks(self, dag_id: str, run_id: str) -> list[tuple[str, int]]:
        tasks = self.world.runs[dag_id, run_id].tasks
        return [(task, -1) for task, state in tasks.items() if state == "failed"]

    def address(self, dag_id: str, run_id: str) -> str:
        return f"https://airflow/{dag_id}/{run_id}"


@dataclass
class FakePlacements(Fake):
    @verb
    def read(self, service: str) -> dict[str, str]:
        return dict(self.world.placed.get(service, {}))

    @verb
    def write(self, service: str, placed: Mapping[str, str]) -> None:
        self.world.placed[service] = dict(placed)

    @verb
    def forget(self, service: str) -> None:
        self.world.placed.pop(service, None)


class FakeGoodReleases(Fake):
    @verb
    def read(self, service: str) -> list[Good]:
        return list(self.world.good.get(service, ()))

    @verb
    def write(self, service: str, known: list[Good]) -> None:
        self.world.good[service] = known

    @verb
    def forget(self, service: str) -> None:
        self.world.good.pop(service, None)
