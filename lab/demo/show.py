"""The report as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any


def _clock(second: float) -> str:
    return f"{datetime.fromtimestamp(second).astimezone():%H:%M:%S}"


def _served(data: Mapping[str, Any]) -> Iterator[str]:
    yield "Who served which release when"
    for release in data["releases_seen"]:
        entry = data["served"][release]
        yield f"  {release or '?':8} {_clock(entry['first'])} – {_clock(entry['last'])}"
        for host, count in sorted(entry["hosts"].items()):
            yield f"           {host:28} {count:7} requests"


def _steps(data: Mapping[str, Any]) -> Iterator[str]:
    yield f"  {'step':32} {'count':>5} {'median':>8} {'longest':>8} {'gap before':>10}"
    for name, step in data["steps"].items():
        gap = "" if step["median_gap_s"] is None else f"{step['median_gap_s']:.2f} s"
        times = f"{step['median_s']:6.1f} s {step['max_s']:6.1f} s"
        yield f"  {name:32} {step['count']:5} {times} {gap:>10}"


def lines(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the report's lines."""
    latency = data["latency_ms"]
    yield f"Requests       {data['requests']}, failed {data['failed']}"
    yield f"Sessions       {data['sessions']}, lost {data['lost_sessions']}"
    yield f"Answers        half within {latency['p50']} ms, 99 % within {latency['p99']} ms"
    yield f"Reconnects     {data['reconnects']} (idle connections, asked again as browsers do)"
    yield f"Makespan       {data['makespan_s']} s"
    yield f"VMs replaced   {data['vms_replaced']}"
    yield f"Task instances {data['task_instances']} ({data['median_gap_s']} s between two, median)"
    yield f"Leftovers      {len(data['leftovers'])}"
    yield from (f"  {trace}" for trace in data["leftovers"])
    yield from (f"  {_clock(bad['at'])} {bad['what']} {bad['host']}" for bad in data["failures"])
    yield from _served(data)
    yield from _steps(data)
