"""The figures, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# figure -> what it says, its target, and how it is printed
FIGURES: dict[str, tuple[str, str, str]] = {
    "deploy_ratio": ("one deployment ÷ the bare script", "≤ 1.3", "{:.2f}"),
    "rotation_ratio": ("the rotation ÷ its floor", "≤ 1.25", "{:.2f}"),
    "cpu_s_per_vm": ("Airflow's CPU-seconds per VM", "", "{:.1f}"),
    "task_instances_per_vm": ("task instances per VM", "≤ 12", "{:.1f}"),
    "mutating_calls_per_vm": ("mutating calls per VM, all systems", "≤ 15", "{:.1f}"),
    "peak_connections": ("most connections at once to one system", "", "{:.0f}"),
    "tasks_per_s": ("task instances per second", "", "{:.2f}"),
    "peak_memory_mb": ("Airflow's memory at its peak, MB", "", "{:.0f}"),
    "parse_500_s": ("500 services are parsed in, seconds", "≤ 5", "{:.1f}"),
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


def table(found: Mapping[str, Any]) -> str:
    """The figures as lines; what was not measured is left out."""
    return "\n".join(["", *_figures(found), "", *_systems(found)])


def _figures(found: Mapping[str, Any]) -> Iterator[str]:
    for key, (says, target, form) in FIGURES.items():
        if key in found:
            yield f"{says:<42} {form.format(found[key]):>8}   {target}".rstrip()


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
