"""Say of each finding whether it may be mended now, or why not."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.audit.finding import ACTS, Finding
from include.audit.memory import Memory


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A finding, how long it is so, and why it is left alone ("" = it may be mended)."""

    finding: Finding
    age: timedelta
    why_not: str

    @property
    def safe(self) -> bool:
        """Whether it is safely ours."""
        return not self.why_not


def judge(
    findings: Iterable[Finding],
    memory: Memory,
    *,
    now: datetime,
    grace: timedelta,
    busy: Collection[str],
) -> tuple[Judged, ...]:
    """Return the findings with a judgement each, in the order in which they would be mended.

    *busy*: services whose rollout is queued or running: there, everything may be on its way.
    """
    judged = [_judged(found, memory, now=now, grace=grace, busy=busy) for found in findings]
    return tuple(sorted(judged, key=lambda each: ACTS.index(each.finding.act)))


def _judged(
    found: Finding, memory: Memory, *, now: datetime, grace: timedelta, busy: Collection[str]
) -> Judged:
    age = now - memory.since(found, now)
    return Judged(finding=found, age=age, why_not=_why_not(found, age, grace, busy))


def _why_not(found: Finding, age: timedelta, grace: timedelta, busy: Collection[str]) -> str:
    if found.doubt:
        return found.doubt
    if found.service in busy:
        return f"a rollout of {found.service} is under way"
    if age < grace:
        return f"seen for {_minutes(age)} min, grace is {_minutes(grace)} min"
    return ""


def _minutes(time: timedelta) -> int:
    return int(time.total_seconds() // 60)
