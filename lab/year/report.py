"""What grew, for people and for programs. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Sizes = Mapping[str, Mapping[str, int]]

LIMIT = 1.2
_MOST = 5  # tables: what makes a database grow is one or two
SHIFTED = "clock shifted by days"
UNTIMED = "nothing of it depends on the day"
TIME = {
    "Puppet CA": SHIFTED,
    "Puppet Server": "scaled: age in simulated days",
    "PuppetDB": f"{SHIFTED}; collects every 6 s",
    "DNS (Knot)": UNTIMED,
    "Icinga 2": SHIFTED,
    "planner": "passed in",
}


def growth(first: Sizes, last: Sizes) -> dict[str, dict[str, Any]]:
    """Return for each system its size at first, at last, and the ratio; its parts likewise."""
    return {
        system: {
            **_grown(sum(parts.values()), sum(last[system].values())),
            "parts": {part: _grown(size, last[system][part]) for part, size in parts.items()},
            "time": TIME.get(system, ""),
        }
        for system, parts in first.items()
    }


def _grown(first: int, last: int) -> dict[str, Any]:
    """What is empty on both days has not grown; what came out of nothing has no ratio."""
    ratio = last / first if first else (None if last else 1.0)
    return {"first": first, "last": last, "ratio": ratio}


def grown_most(first: Mapping[str, int], last: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Return the five tables that grew by the most bytes, with their sizes; those that grew."""
    more = {name: size - first.get(name, 0) for name, size in last.items()}
    names = sorted((name for name in more if more[name] > 0), key=lambda name: -more[name])
    return {name: (first.get(name, 0), last[name]) for name in names[:_MOST]}


def grown_tables(found: Mapping[str, tuple[int, int]]) -> str:
    """Those tables in a line."""
    told = [f"{name} {_size(first)} → {_size(last)}" for name, (first, last) in found.items()]
    return f"PuppetDB's tables that grew: {', '.join(told) or 'none'}"


def grew(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the systems that grew by more than the limit."""
    return [name for name, s in found.items() if s["ratio"] is None or s["ratio"] > LIMIT]


def table(found: Mapping[str, Mapping[str, Any]], first_day: int, last_day: int) -> str:
    """The sizes as lines: a system, and below it its parts."""
    days = f"day {first_day}", f"day {last_day}"
    head = f"{'':<32} {days[0]:>12} {days[1]:>12} {'ratio':>6}   time"
    return "\n".join([head, *_lines(found)])


def _lines(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for system, all_of_it in found.items():
        yield f"{_line(system, all_of_it)}   {all_of_it['time']}".rstrip()
        if len(all_of_it["parts"]) > 1:
            yield from (_line(f"  {part}", each) for part, each in all_of_it["parts"].items())


def _line(name: str, sizes: Mapping[str, Any]) -> str:
    ratio = "new" if sizes["ratio"] is None else f"{sizes['ratio']:.2f}"
    return f"{name:<32} {_size(sizes['first']):>12} {_size(sizes['last']):>12} {ratio:>6}"


def _size(number: int) -> str:
    if number < 10_000:
        return f"{number} B"
    if number < 10_000_000:
        return f"{number / 1000:.0f} kB"
    return f"{number / 1_000_000:.1f} MB"
