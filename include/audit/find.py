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
from include.audit.view import View, proved


def find(views: Mapping[str, View], facts: FleetFacts) -> tuple[Finding, ...]:
    """Return what is wrong in the fleet, service by service, what is not ours at the end."""
    ours = (
        found
        for name in sorted(views)
        for found in (
            *machines(views[name]),
            *drift(views[name]),
            *orphans(views[name]),
        )
    )
    return (*ours, *images(facts), *foreign(views, facts))


def rollouts(views: Mapping[str, View]) -> frozenset[str]:
    """Return the rollouts that have a mark of ours now: what the next audit knows.

    A host in monitoring is a mark that a repair removes, before the rest, which may fail.
    """
    return frozenset(rollout for view in views.values() for rollout in proved(view))
