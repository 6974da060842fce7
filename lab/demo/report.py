"""The demo's report: what the clients noticed, what the run cost, what was left behind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any

from lab.airflow.rows import Task

ENOUGH_REQUESTS = 10_000
LIMIT_S = 600.0
DID_NOTHING = frozenset({"skipped", "upstream_failed", "removed", None})

Dependencies = Mapping[str, Iterable[str]]  # task_id -> task_ids right after it


def worked(tasks: Iterable[Task]) -> list[Task]:
    """Return the task instances that did something."""
    return [task for task in tasks if task.state not in DID_NOTHING and task.started]


def seconds(task: Task) -> float:
    """Return how long a task took, its waiting included."""
    return (task.ended - task.started).total_seconds() if task.started and task.ended else 0.0


def _group(task_id: str) -> str:
    return task_id.rpartition(".")[0]


def gap(task: Task, before: Iterable[Task]) -> float | None:
    """Return the seconds between the last of the tasks *before* and this one; None without any.

    In a mapped group a VM's task waits for the same VM's task only.
    """
    own = [
        other
        for other in before
        if _group(other.task_id) != _group(task.task_id) or other.map_index == task.map_index
    ]
    ends = [other.ended for other in own if other.ended]
    if not ends or not task.started:
        return None
    return max(0.0, (task.started - max(ends)).total_seconds())


def gaps(tasks: Sequence[Task], after: Dependencies) -> dict[str, list[float]]:
    """Return the gaps in front of each task, by task_id. Only first tries count."""
    done = worked(tasks)
    by_id: defaultdict[str, list[Task]] = defaultdict(list)
    for task in done:
        for successor in after.get(task.task_id, ()):
            by_id[successor].append(task)
    found: defaultdict[str, list[float]] = defaultdict(list)
    for task in done:
        between = gap(task, by_id[task.task_id]) if task.try_number == 1 else None
        if between is not None:
            found[task.task_id].append(between)
    return dict(found)


def steps(tasks: Sequence[Task], after: Dependencies) -> dict[str, dict[str, Any]]:
    """Return count, median and longest time and the gap in front, for each step in order."""
    took: defaultdict[str, list[float]] = defaultdict(list)
    waits: defaultdict[str, list[float]] = defaultdict(list)
    for task in sorted(worked(tasks), key=lambda task: str(task.started)):
        took[task.step].append(seconds(task))
    for task_id, values in gaps(tasks, after).items():
        waits[task_id.rpartition(".")[2]] += values
    return {
        step: {
            "count": len(values),
            "median_s": round(median(values), 2),
            "max_s": round(max(values), 2),
            "median_gap_s": round(median(waits[step]), 2) if waits[step] else None,
        }
        for step, values in took.items()
    }


def makespan(run: Mapping[str, Any]) -> float:
    """Return the seconds from the trigger to the end of a run."""
    begin, end = (datetime.fromisoformat(run[name]) for name in ("queued_at", "end_date"))
    return round((end - begin).total_seconds(), 1)


def report(
    load: Mapping[str, Any], run: Mapping[str, Any], tasks: Sequence[Task], after: Dependencies
) -> dict[str, Any]:
    """Return the part of the report that clients and Airflow know."""
    every = [value for values in gaps(tasks, after).values() for value in values]
    served = load["releases"]
    return {
        "requests": load["requests"],
        "failed": load["failed"],
        "lost_sessions": load["lost_sessions"],
        "releases_seen": sorted(served, key=lambda release: served[release]["first"]),
        "served": served,
        "sessions": load["sessions"],
        "reconnects": load["reconnects"],
        "latency_ms": load["latency_ms"],
        "failures": load["failures"],
        "state": run["state"],
        "makespan_s": makespan(run),
        "steps": steps(tasks, after),
        "median_gap_s": round(median(every), 2) if every else None,
        "task_instances": len(tasks),
        "timeline": load["timeline"],
    }


def complaints(data: Mapping[str, Any]) -> list[str]:
    """Return why the demo has failed; nothing when it has not."""
    wrong = {
        f"the run ended as {data['state']}": data["state"] != "success",
        f"{data['failed']} requests failed": data["failed"] > 0,
        f"{data['lost_sessions']} sessions were lost": data["lost_sessions"] > 0,
        f"{len(data['leftovers'])} traces of old VMs": bool(data["leftovers"]),
        "no VM was replaced": not data["vms_replaced"],
        f"only {data['requests']} requests": data["requests"] < ENOUGH_REQUESTS,
        f"it took {data['elapsed_s']} s": data["elapsed_s"] > LIMIT_S,
    }
    return [text for text, holds in wrong.items() if holds]
