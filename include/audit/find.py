"""From the facts of the fleet to all that is not as it should be."""

from __future__ import annotations

from collections.abc import Iterable

from include.audit.drift import drift
from include.audit.facts import FleetFacts
from include.audit.finding import Finding
from include.audit.foreign import foreign
from include.audit.machines import machines
from include.audit.orphans import orphans
from include.audit.view import view_services
from include.catalogue.model import Service


def find(
    services: Iterable[Service], facts: FleetFacts, known: frozenset[str] = frozenset()
) -> tuple[Finding, ...]:
    """Return what is wrong in the fleet, service by service, what is not ours at the end.

    *known*: the rollouts ("shop-k3f9x2q") whose VMs earlier audits saw alive.
    """
    views = view_services(services, facts)
    ours = (
        found
        for name in sorted(views)
        for found in (
            *machines(views[name]),
            *drift(views[name]),
            *orphans(views[name], known),
        )
    )
    return (*ours, *foreign(views, facts))


def rollouts(services: Iterable[Service], facts: FleetFacts) -> frozenset[str]:
    """Return "service-rollout" of every VM of ours that is there: what the next audit knows."""
    views = view_services(services, facts)
    return frozenset(
        name.rpartition("-")[0] for view in views.values() for name in view.vms if view.ours(name)
    )


def fleet_size(services: Iterable[Service], facts: FleetFacts) -> int:
    """Return how many VMs of ours there are."""
    views = view_services(services, facts)
    return sum(len(view.ours(name)) for view in views.values() for name in view.vms)
