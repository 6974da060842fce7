"""What one audit leaves to the next: since when a thing is seen, and which VMs were ours."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from include.audit.finding import Finding
from include.audit.view import slot_of
from include.planner import rollout_of

# A VM lives a day; what is left of it is found within hours, or by the audit of a later week.
KEPT = timedelta(days=7)


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Bounded: it holds what is wrong now, and the rollouts of one week or of what is wrong."""

    seen: Mapping[str, float] = field(default_factory=dict)  # Finding.key -> epoch s, first seen
    lost: frozenset[str] = frozenset()  # VMs that are missed: a repair removes what shows it
    missed: frozenset[str] = frozenset()  # VMs that were, and whose slots are empty ever since
    rollouts: Mapping[str, float] = field(default_factory=dict)  # "shop-k3f9x2q" -> last marked

    @property
    def known(self) -> frozenset[str]:
        """The rollouts that are ours: a VM of them was seen alive, or marked in monitoring."""
        return frozenset(self.rollouts)

    def since(self, finding: Finding, now: datetime) -> datetime:
        """Return since when a thing is known to be so."""
        first = self.seen.get(finding.key)
        by_audits = datetime.fromtimestamp(first, UTC) if first is not None else now
        return min(by_audits, finding.since or by_audits)


def remember(
    before: Memory,
    findings: Collection[Finding],
    marked: Iterable[str],
    services: Container[str],
    now: datetime,
) -> Memory:
    """Return the memory after an audit. What is mended is forgotten, so it begins anew.

    *marked*: the rollouts that have a mark of ours now. *services*: those that were looked at; the
    VMs that others miss, whose file has a mistake, are not found and are missed all the same.
    """
    moment = now.timestamp()
    oldest = (now - KEPT).timestamp()
    left = {rollout_of(found.name) for found in findings}  # ours until nothing is left of it
    kept = {each: last for each, last in before.rollouts.items() if last >= oldest or each in left}
    rollouts = {**kept, **dict.fromkeys(sorted(marked), moment)}
    unseen = {
        name
        for name in before.lost | before.missed
        if slot_of(name).service not in services and rollout_of(name) in rollouts
    }
    unfilled = {found.name for found in findings if found.vanished and not found.broken}
    return Memory(
        seen={found.key: before.seen.get(found.key, moment) for found in findings},
        lost=frozenset(found.name for found in findings if found.vanished and found.broken),
        missed=frozenset(unseen | unfilled),
        rollouts=rollouts,
    )
