"""Show what an audit found: as a table for people, as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from include.audit.judge import Judged


def as_table(judged: Sequence[Judged]) -> str:
    """Return a Markdown table, or one sentence when all is well."""
    if not judged:
        return "no drift and no orphans: every system agrees with OpenNebula"
    rows = [_row(each) for each in judged]
    head = ("system", "thing", "kind", "since", "repair", "why")
    return "\n".join(_line(row) for row in (head, ("---",) * len(head), *rows))


def _row(each: Judged) -> tuple[str, ...]:
    found = each.finding
    minutes = int(each.age.total_seconds() // 60)
    repair = found.act if each.safe else f"left alone: {each.why_not}"
    return found.system, found.thing, found.kind, f"{minutes} min", repair, found.reason


def _line(cells: Iterable[str]) -> str:
    # names and messages come from outside: none of them may make a cell of its own
    return "| " + " | ".join(" ".join(c.replace("|", "/").split()) for c in cells) + " |"


def as_json(judged: Iterable[Judged]) -> list[dict[str, Any]]:
    """Return the findings as plain data."""
    return [_plain(each) for each in judged]


def _plain(each: Judged) -> dict[str, Any]:
    found = each.finding
    return {
        "system": found.system,
        "thing": found.thing,
        "kind": found.kind,
        "service": found.service,
        "vm": found.name,
        "vm_id": found.vm_id,
        "reason": found.reason,
        "seen_for_s": int(each.age.total_seconds()),
        "repair": found.act,
        "safe": each.safe,
        "why_not": each.why_not,
    }
