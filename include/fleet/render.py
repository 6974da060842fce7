"""Render the rotation of a day once: the same text goes to the log and to a dry run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from include.fleet.plan import RotationPlan


def as_markdown(plan: RotationPlan) -> str:
    """Return the day's plan as Markdown, for people."""
    return "\n".join(_lines(plan))


def _lines(plan: RotationPlan) -> Iterator[str]:
    vms = sum(turn.slots for turn in plan.turns)
    yield f"### Rotation of {plan.day}: {len(plan.turns)} services, {vms} VMs"
    yield f"No service starts after {plan.failures} have failed, nor after {_clock(plan.ends)} UTC."
    if plan.at_once:
        yield f"At most {plan.at_once} at once."
    if plan.turns:
        yield from ("", "| from (UTC) | service | VMs | run |", "|---|---|---|---|")
    for turn in plan.turns:
        yield f"| {_clock(turn.open[0][0])} | {turn.service} | {turn.slots} | {turn.run_id} |"
    if plan.left:
        yield ""
    for left in plan.left:
        until = f" until {left.until}" if left.until else ""
        yield f"- not today: {left.service} ({left.kind}{until}): {left.reason} [{left.owner}]"


def _clock(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%d %H:%M")
