"""From the facts of the fleet to all that is not as it should be."""

from __future__ import annotations

from collections.abc import Mapping

from include.audit.drift import drift
from include.audit.facts import FleetFacts
from include.audit.finding import Finding
from include.audit.foreign import foreign
from include.audit.images import images
from include.audit.machines import machines
from include.audit.orphans import orphans
from include.audit.view import View


def find(
    views: Mapping[str, View], facts: FleetFacts, known: frozenset[str] = frozenset()
) -> tuple[Finding, ...]:
    """Return what is wrong in the fleet, service by service, what is not ours at the end.

    *known*: the rollouts ("shop-k3f7x2q") whose VMs earlier audits saw alive.
    """
    ours = (
        found
        for name in sorted(views)
        for found in (
            *machines(views[name]),
            *drift(views[name]),
            *orphans(views[name], known),
        )
    )
    return (*ours, *images(facts), *foreign(views, facts))


def rollouts(views: Mapping[str, View]) -> frozenset[str]:
    """Return "service-rollout" of every VM of ours that is there: what the next audit knows."""
    return frozenset(
        name.rpartition("-")[0] for view in views.values() for name in view.vms if view.ours(name)
    )


def fleet_size(views: Mapping[str, View]) -> int:
    """Return how many VMs of ours there are."""
    return sum(len(view.ours(name)) for view in views.values() for name in view.vms)
