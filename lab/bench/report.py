"""The figures, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any


@dataclass(frozen=True)
class Figure:
    """What a figure says, the most that it should be, and how it is printed."""

    says: str
    form: str
    target: float | None = None

    def line(self, value: float | None) -> str:
        """One row of the table; what was not measured is no zero."""
        shown = "–" if value is None else self.form.format(value)
        if self.target is None:
            return f"{self.says:<42} {shown:>8}"
        missed = value is not None and round(value, 2) > self.target
        return f"{self.says:<42} {shown:>8}   ≤ {self.target:g}{'  MISSED' if missed else ''}"


FIGURES = {
    "deploy_ratio": Figure("one deployment ÷ the bare script", "{:.2f}", 1.3),
    "rotation_ratio": Figure("the rotation ÷ its floor", "{:.2f}", 1.25),
    "cpu_s_per_vm": Figure("Airflow's CPU-seconds per VM", "{:.1f}"),
    "task_instances_per_vm": Figure("task instances per VM", "{:.1f}", 12),
    "worker_passes_per_vm": Figure("worker passes per VM", "{:.1f}"),
    "mutating_calls_per_vm": Figure("mutating calls per VM, all systems", "{:.1f}", 15),
    "peak_connections": Figure("most connections at once to one system", "{:.0f}"),
    "tasks_per_s": Figure("task instances per second", "{:.2f}"),
    "passes_per_s": Figure("worker passes per second", "{:.2f}"),
    "peak_memory_mb": Figure("Airflow's memory at its peak, MB", "{:.0f}"),
    "idle_share": Figure("of the machine's CPUs, idle", "{:.0%}"),
    "stolen_share": Figure("of the machine's CPUs, kept by its host", "{:.0%}"),
    "parse_500_s": Figure("500 services are parsed in, seconds", "{:.1f}", 5),
}


def calls(systems: Mapping[str, Any], vms: int) -> dict[str, Any]:
    """What one VM costs each system, from the stand-ins' counts."""
    per_vm = {name: sum(each["calls"].values()) / vms for name, each in systems.items()}
    mutating = {name: each["mutating"] / vms for name, each in systems.items()}
    peaks = {name: each["peak_connections"] for name, each in systems.items()}
    return {
        "calls_per_vm": {name: round(count, 2) for name, count in per_vm.items()},
        "mutating_calls_per_vm": sum(mutating.values()),
        "mutating_calls_per_vm_by_system": {n: round(count, 2) for n, count in mutating.items()},
        "peak_connections": max(peaks.values(), default=0),
        "peak_connections_by_system": peaks,
        "calls": {name: each["calls"] for name, each in systems.items()},
    }


def whole(found: Mapping[str, Any], errors: Mapping[str, str]) -> dict[str, Any]:
    """All figures, those that were not measured as null, and why they were not."""
    return {**dict.fromkeys(FIGURES), **found, "errors": dict(errors)}


def table(found: Mapping[str, Any]) -> str:
    """The figures as lines, each with its target beside it."""
    failed = found.get("errors", {}).items()
    told = (f"{part} FAILED: {shorten(why, 300, placeholder=' …')}" for part, why in failed)
    figures = (figure.line(found.get(key)) for key, figure in FIGURES.items())
    return "\n".join(["", *figures, "", *_systems(found), *told])


def _systems(found: Mapping[str, Any]) -> Iterator[str]:
    if "calls_per_vm" not in found:
        return
    yield f"{'per VM':<14} {'calls':>8} {'mutating':>9} {'connections':>12}"
    for name, count in found["calls_per_vm"].items():
        changing = found["mutating_calls_per_vm_by_system"][name]
        peak = found["peak_connections_by_system"][name]
        yield f"{name:<14} {count:>8.1f} {changing:>9.1f} {peak:>12}"


def write(file: Path, found: Mapping[str, Any]) -> None:
    """Write it all as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=2) + "\n")
