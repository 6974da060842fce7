"""The measurements: parsing, one deployment against a bare script, and a rotation of the fleet."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from lab.airflow.client import ENDED
from lab.airflow.wait import until
from lab.bench.beside import World, world
from lab.bench.cost import PeakMemory, cpu_s
from lab.bench.floor import Budget, Shape, floor_s
from lab.bench.guests import Waits
from lab.bench.parse import parse_s
from lab.bench.report import calls
from lab.demo.follow import reasons
from lab.settings import places

Say = Callable[[str], None]

REPLICAS = 4
MANY = 500  # services that are parsed
_PATIENCE_S = 6 * 3600.0


def measure(vms: int, speed: float, parts: Collection[str], say: Say) -> dict[str, Any]:
    """Measure what is asked for, one after the other."""
    found: dict[str, Any] = {"vms": vms, "speed": speed, "began": time.time()}
    if "parse" in parts:
        say(f"parsing {MANY} services")
        found["parse_500_s"] = parse_s(MANY)
    if {"deploy", "rotation"} & set(parts):
        shape = _shape(vms, speed)
        found |= {"services": shape.services, "replicas": shape.replicas}
        with world(places(), shape, speed) as bench:
            if "deploy" in parts:
                found |= deployment(bench, say)
            if "rotation" in parts:
                empty = bench.names[2:] if "deploy" in parts else bench.names
                say(f"{len(empty)} services come to be")
                bench.bare("seed", "1.0", *empty)
                found |= rotation(bench, shape, Waits().divided(speed), say)
    return found


def _shape(vms: int, speed: float) -> Shape:
    """At least three services: one for the script, one for Airflow, and a fleet."""
    return Shape(
        services=max(3, vms // REPLICAS),
        replicas=min(REPLICAS, max(1, vms // 3)),
        canary_s=max(1, round(10 / speed)),
        watch_s=max(1, round(30 / speed)),
    )


def deployment(bench: World, say: Say) -> dict[str, Any]:
    """Release 1.1 in place of 1.0: by the bare script, then by Airflow."""
    by_script, by_airflow = bench.names[:2]
    bench.bare("seed", "1.0", by_script, by_airflow)
    say("one deployment by the bare script")
    bare = bench.bare("deploy", "1.1", by_script)
    say(f"{bare:.1f} s; one deployment by Airflow")
    took = rollout_s(bench, by_airflow, release="1.1")
    say(f"{took:.1f} s")
    return {"deploy_ratio": took / bare, "deploy_s": took, "bare_s": bare}


def rollout_s(bench: World, service: str, **params: Any) -> float:
    """How long one rollout takes, by Airflow's own clock, from the request to its end."""
    dag_id = f"rollout_{service}"
    run_id = bench.airflow.trigger(dag_id, **params)
    state = bench.airflow.wait_for_run(dag_id, run_id, _PATIENCE_S)
    if state != "success":
        raise RuntimeError(f"{run_id} of {dag_id} {state}")
    run = bench.airflow.run(dag_id, run_id)
    ended, asked = (datetime.fromisoformat(run[key]) for key in ("end_date", "queued_at"))
    return (ended - asked).total_seconds()


def rotation(bench: World, shape: Shape, waits: Waits, say: Say) -> dict[str, Any]:
    """Every VM of the fleet is replaced, under the budgets of `fleet.yaml`."""
    floor = floor_s(shape, waits, Budget())
    say(f"the rotation begins; it cannot take less than {floor:.0f} s")
    bench.cloud.reset()
    root, instances = bench.beside.root, task_instances(bench)
    cost, began = cpu_s(root), time.monotonic()
    with PeakMemory(root) as memory:
        _rotate(bench)
    took, made = time.monotonic() - began, task_instances(bench) - instances
    say(f"{took:.0f} s")
    return {
        "rotation_s": took,
        "floor_s": floor,
        "rotation_ratio": took / floor,
        "cpu_s_per_vm": (cpu_s(root) - cost) / shape.vms,
        "task_instances_per_vm": made / shape.vms,
        "tasks_per_s": made / took,
        "peak_memory_mb": memory.mb,
        **calls(bench.cloud.report(), shape.vms),
    }


def task_instances(bench: World) -> int:
    """All that Airflow has made so far."""
    path = "/dags/~/dagRuns/~/taskInstances"
    return int(bench.airflow.get(path, limit=1)["total_entries"])


def _rotate(bench: World) -> None:
    """By `rotate_fleet`, which keeps the budgets of `fleet.yaml`."""
    bench.airflow.send("PATCH", "/dags/rotate_fleet", json={"is_paused": False})
    run_id = bench.airflow.trigger("rotate_fleet")
    ended = lambda: bench.airflow.state("rotate_fleet", run_id) in ENDED  # noqa: E731
    until(ended, _PATIENCE_S, "rotate_fleet ends", every=2)
    # Its proof may fail for a reason of its own; what counts here is that all rollouts were made.
    made = [name for name in bench.names if _rotated(bench, name)]
    if len(made) < len(bench.names):
        why = "; ".join(reasons(bench.airflow, "rotate_fleet", run_id))
        raise RuntimeError(f"{len(made)} of {len(bench.names)} services were rotated: {why}")


def _rotated(bench: World, name: str) -> bool:
    path = f"/dags/rollout_{name}/dagRuns"
    rows = bench.airflow.get(path, limit=1, order_by="-run_after")["dag_runs"]
    found = [(row["state"], row["dag_run_id"].partition("__")[0]) for row in rows]
    return found == [("success", "rotation")]
