"""Which services get a rollout that replaces what is broken, and with which parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from include.audit.finding import Finding
from include.audit.judge import Judged
from include.audit.view import slot_of

_LONGEST = 500  # what the form of a rollout takes as a reason


def needing(judged: Iterable[Judged]) -> list[Finding]:
    """Return what a rollout mends, and may."""
    acts = ("rollout", "replace VM")
    return [each.finding for each in judged if each.safe and each.finding.act in acts]


def heal(judged: Iterable[Judged]) -> dict[str, dict[str, Any]]:
    """Return the parameters of a rollout for each service that has something broken.

    Every rollout replaces VMs that are not whole and fills empty slots; `replace=none` leaves it at
    that. Where a VM looks whole to a rollout, its slot is named.
    """
    broken: dict[str, list[Finding]] = defaultdict(list)
    for found in needing(judged):
        broken[found.service].append(found)
    return {service: _params(found) for service, found in sorted(broken.items())}


def in_turn(judged: Iterable[Judged], run: str) -> list[str]:
    """Return the services that get a rollout, in the order in which they do where not all can.

    First those with a VM that vanished: the repair has removed what tells of it, so no other audit
    heals it. The others in another order in each *run* of the audit: else those whose rollouts fail
    would keep the last ones waiting for ever.
    """
    found = needing(judged)
    lost = {each.service for each in found if each.vanished}
    return sorted(
        {each.service for each in found}, key=lambda name: (name not in lost, _lot(run, name))
    )


def _lot(run: str, service: str) -> bytes:
    return sha256(f"{run}/{service}".encode()).digest()


def _params(findings: list[Finding]) -> dict[str, Any]:
    told = "; ".join(f"{found.thing}: {found.reason}" for found in findings)
    slots = sorted({slot_of(found.name).slot for found in findings if found.act == "replace VM"})
    chosen: dict[str, Any] = {"replace": "all", "slots": slots} if slots else {"replace": "none"}
    releases = {found.release for found in findings if found.release}
    if len(releases) == 1:  # else the rollout takes that of the VMs that serve, or asks
        chosen["release"] = releases.pop()
    return {**chosen, "reason": f"audit_fleet: {told}"[:_LONGEST]}
