"""What a rotation of the bench's fleet leaves in the report."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from lab.bench import rotation as tried
from lab.bench.floor import Shape
from lab.bench.guests import Waits

SHAPE = Shape(services=2, replicas=4)
WAITS = Waits().divided(1000)
CALLS = {"nameserver": {"calls": {"update": 32}, "mutating": 32, "peak_connections": 2}}


class FakeAirflow:
    """Answers what the bench asks; the rotation replaces *rotated* services and ends as *state*."""

    def __init__(self, rotated: int, state: str = "success") -> None:
        self.rotated, self.final = rotated, state
        self.started = False
        self.sent: list[str] = []

    def send(self, method: str, path: str, **_: Any) -> None:
        self.sent.append(f"{method} {path}")

    def trigger(self, dag_id: str) -> str:
        self.started = True
        return "manual__1"

    def state(self, dag_id: str, run_id: str) -> str:
        return self.final

    def tasks(self, dag_id: str, run_id: str) -> list[Any]:
        return []

    def get(self, path: str, **chosen: Any) -> dict[str, Any]:
        done = self.rotated if self.started else 0
        if path == "/eventLogs":
            return {"total_entries": 7 + 68 * done}
        if path.endswith("taskInstances"):
            return {"total_entries": 3 + 42 * done}
        if "~" in path:
            assert chosen["run_id_pattern"] == "rotation__%"
            return {"total_entries": done}
        number = int(path.split("/")[2][-3:])
        rows = [{"state": "success", "dag_run_id": "rotation__x"}] if number < done else []
        return {"dag_runs": rows}


def world(airflow: FakeAirflow) -> Any:
    names = ["bench000", "bench001"]
    seeded: set[str] = set()

    def seed(empty: Iterable[str]) -> None:
        seeded.update(empty)

    return SimpleNamespace(
        airflow=airflow,
        names=names,
        seeded=seeded,
        seed=seed,
        beside=SimpleNamespace(root=os.getpid()),
        cloud=SimpleNamespace(reset=lambda: None, report=lambda: CALLS),
    )


def measure(airflow: FakeAirflow) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Return what was noted on the way, what came back, and what was said."""
    noted: dict[str, Any] = {}
    said: list[str] = []
    back: dict[str, Any] = {}
    try:
        back = tried.rotation(world(airflow), SHAPE, WAITS, said.append, noted.update)
    except RuntimeError as error:
        said.append(str(error))
    return noted, back, said


def test_what_it_cost_is_told_per_vm() -> None:
    """8 VMs: 84 task instances, 136 passes through a worker, 32 changes."""
    noted, back, said = measure(FakeAirflow(rotated=2))

    assert set(back) == {"rotation_ratio"}
    assert noted["task_instances_per_vm"] == 10.5
    assert noted["worker_passes_per_vm"] == 17
    assert noted["mutating_calls_per_vm"] == 4
    assert noted["services_rotated"] == 2
    assert "peak_memory_mb" in noted
    assert 0 <= noted["idle_share"] + noted["stolen_share"] <= 1.001  # they are rounded
    assert said[0] == "2 services come to be"


def test_a_rotation_that_stops_half_way_tells_what_it_cost_until_then() -> None:
    """There is no ratio: the rest was not rotated. Costs are those of the VMs that were."""
    noted, back, said = measure(FakeAirflow(rotated=1, state="failed"))

    assert back == {}
    assert noted["services_rotated"] == 1
    assert noted["worker_passes_per_vm"] == 17
    assert "bench001 and so on were not rotated" in said[-1]


def test_one_in_which_nothing_was_rotated_has_no_costs_per_vm() -> None:
    noted, back, _ = measure(FakeAirflow(rotated=0, state="failed"))

    assert back == {}
    assert "cpu_s_per_vm" not in noted


def test_the_rotation_is_let_go_before_it_is_asked_for() -> None:
    """All other schedules of the bench are paused."""
    airflow = FakeAirflow(rotated=2)
    measure(airflow)

    assert airflow.sent == ["PATCH /dags/rotate_fleet"]
