"""A rotation of the whole fleet, under the budgets of `fleet.yaml`, and what it cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from lab.airflow.client import ENDED
from lab.airflow.wait import until
from lab.bench.beside import World
from lab.bench.cost import PeakMemory, cpu_s, machine_s
from lab.bench.floor import Budget, Shape, floor_s
from lab.bench.guests import Waits
from lab.bench.report import calls
from lab.demo.follow import reasons

Say = Callable[[str], None]

_TELL_S = 60.0  # between two lines about how far it is
_SLACK, _LEAST_S = 4.0, 1800.0  # it has failed after so many floors, but not before this


def rotation(
    bench: World, shape: Shape, waits: Waits, say: Say, note: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Replace every VM once. What it cost is noted also when it does not get to its end."""
    say(f"{len(bench.names) - len(bench.seeded)} services come to be")
    bench.seed(bench.names)
    floor = floor_s(shape, waits, Budget())
    say(f"the rotation begins; it cannot take less than {floor:.0f} s")
    bench.cloud.reset()
    root, before, began = bench.beside.root, _counts(bench), time.monotonic()
    cost, machine = cpu_s(root), machine_s()
    with PeakMemory(root) as memory:
        try:
            _rotate(bench, max(_LEAST_S, _SLACK * floor), say)
        finally:
            took, after = time.monotonic() - began, _counts(bench)
            services = after["rollouts"] - before["rollouts"]
            made = {name: after[name] - count for name, count in before.items()}
            spent = cpu_s(root) - cost
            note({"rotation_s": took, "floor_s": floor, "services_rotated": services})
            note({"peak_memory_mb": memory.mb, **_shares(machine, machine_s())})
            if vms := services * shape.replicas:
                note(_costs(made, spent, took, vms))
                note(calls(bench.cloud.report(), vms))
    return {"rotation_ratio": took / floor}


def _costs(made: dict[str, int], spent: float, took: float, vms: int) -> dict[str, float]:
    return {
        "cpu_s_per_vm": spent / vms,
        "task_instances_per_vm": made["tasks"] / vms,
        "worker_passes_per_vm": made["passes"] / vms,
        "tasks_per_s": made["tasks"] / took,
        "passes_per_s": made["passes"] / took,
    }


def _shares(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """How busy the machine was, and whether it had its CPUs for itself."""
    grown = {name: after[name] - before[name] for name in after}
    whole = grown["all"] or 1.0  # it may be over within a tick
    return {f"{name}_share": grown[name] / whole for name in ("idle", "stolen")}


def _counts(bench: World) -> dict[str, int]:
    """What Airflow has made so far. A task that waits deferred is passed to a worker twice."""
    runs = "/dags/~/dagRuns"
    return {
        "tasks": _total(bench, f"{runs}/~/taskInstances"),
        "passes": _total(bench, "/eventLogs", event="running"),
        "rollouts": _total(bench, runs, state="success", run_id_pattern="rotation__%"),
    }


def _total(bench: World, path: str, **chosen: str) -> int:
    return int(bench.airflow.get(path, limit=1, **chosen)["total_entries"])


def _rotate(bench: World, seconds: float, say: Say) -> None:
    """By `rotate_fleet`, which keeps the budgets."""
    airflow = bench.airflow
    airflow.send("PATCH", "/dags/rotate_fleet", json={"is_paused": False})
    run_id, began, told = airflow.trigger("rotate_fleet"), time.monotonic(), 0.0

    def ended() -> bool:
        nonlocal told
        passed = time.monotonic() - began
        if passed - told >= _TELL_S:
            told = passed
            say(f"{passed:.0f} s: {_counts(bench)['rollouts']} services of {len(bench.names)}")
        return airflow.state("rotate_fleet", run_id) in ENDED

    until(ended, seconds, "rotate_fleet ends", every=2)
    # Its proof may fail for a reason of its own; what counts here is that all rollouts were made.
    missing = [name for name in bench.names if not _rotated(bench, name)]
    if missing:
        why = "; ".join(reasons(airflow, "rotate_fleet", run_id))
        raise RuntimeError(f"{', '.join(missing[:5])} and so on were not rotated: {why}")


def _rotated(bench: World, name: str) -> bool:
    path = f"/dags/rollout_{name}/dagRuns"
    rows = bench.airflow.get(path, limit=1, order_by="-run_after")["dag_runs"]
    found = [(row["state"], row["dag_run_id"].partition("__")[0]) for row in rows]
    return found == [("success", "rotation")]
