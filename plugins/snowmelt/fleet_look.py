"""Look at the whole fleet: one call for each list of each system, however many services share it.

The VMs come last: what is seen of a VM elsewhere has its VM in the list that is read afterwards,
or the VM is gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from include.audit import FleetFacts
from include.catalogue.model import Service
from include.facts import Address, Entry
from include.image_facts import CloudImage
from include.image_rules import idle
from snowmelt.errors import Missing, Unreachable
from snowmelt.hooks.balancer import balancer_for
from snowmelt.hooks.firewall import firewall_for
from snowmelt.hooks.monitoring import monitoring_for
from snowmelt.hooks.nameserver import NameServerHook
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.hooks.opennebula_images import OpenNebulaImagesHook
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.hooks.puppetdb import PuppetDbHook

T = TypeVar("T")


class Away(Unreachable):
    """The system behind one Connection does not answer."""

    def __init__(self, conn_id: str, error: Unreachable) -> None:
        super().__init__(f"{conn_id}: {error}")
        self.conn_id = conn_id


def look_at_fleet(services: Collection[Service]) -> FleetFacts:
    """Return what all systems know. `Away` where one does not answer, or its own error."""
    zones, groups, pools = _zones(services), _groups(services), _pools(services)
    clouds = _used(services, "opennebula")
    names = _asked(zones, lambda conn: _names(conn, zones[conn]))
    walls = _asked(groups, lambda conn: _entries(conn, groups[conn]))
    # in this order: arguments are evaluated one after the other
    return FleetFacts(
        members=_asked(pools, lambda conn: balancer_for(conn).members_of(pools[conn])),
        entries={conn: entries for conn, (entries, _) in walls.items()},
        no_groups={conn: missing for conn, (_, missing) in walls.items()},
        hosts=_asked(_monitored(services), lambda conn: monitoring_for(conn).inventory()),
        certificates=_asked(
            _used(services, "puppet_ca"), lambda conn: PuppetCaHook(conn).certificates()
        ),
        nodes=_asked(_used(services, "puppetdb"), lambda conn: PuppetDbHook(conn).nodes()),
        forward={conn: forward for conn, (forward, _) in names.items()},
        reverse={conn: reverse for conn, (_, reverse) in names.items()},
        images=_asked(clouds, _idle_images),
        leases=_asked(clouds, lambda conn: OpenNebulaHook(conn).held_leases()),
        vms=_asked(clouds, lambda conn: OpenNebulaHook(conn).vms()),
    )


def look_at_the_reachable(
    services: Mapping[str, Service],
) -> tuple[FleetFacts, dict[str, Service], list[str]]:
    """Return what is known, of which services, and in a sentence each who is left out and why.

    Those that use a system that is away are left out, as one is whose file has a mistake: half of
    what is known of a VM would look like drift. `Away` where that is all of them.
    """
    left, why = dict(services), list[str]()
    while True:
        try:
            return look_at_fleet(left.values()), left, why
        except Away as away:
            users = {name for name, service in left.items() if _uses(service, away.conn_id)}
            if len(users) == len(left):
                raise
            why.append(f"left out: {', '.join(sorted(users))}, as {away}")
            left = {name: left[name] for name in left.keys() - users}


def _uses(service: Service, conn_id: str) -> bool:
    parts = {"balancer", "monitoring", "firewall"}  # a service may have none of these
    return any(
        conn == conn_id and (system not in parts or getattr(service, system))
        for system, conn in service.connections.model_dump().items()
    )


def _asked(conns: Iterable[str], ask: Callable[[str], T]) -> dict[str, T]:
    found: dict[str, T] = {}
    for conn in conns:
        try:
            found[conn] = ask(conn)
        except Unreachable as error:
            raise Away(conn, error) from error
    return found


def _used(services: Iterable[Service], connection: str) -> list[str]:
    return sorted({getattr(service.connections, connection) for service in services})


def _monitored(services: Iterable[Service]) -> list[str]:
    return _used([service for service in services if service.monitoring], "monitoring")


def _pools(services: Iterable[Service]) -> dict[str, set[str]]:
    pools: dict[str, set[str]] = defaultdict(set)
    for service in services:
        if service.balancer:
            pools[service.connections.balancer].add(service.balancer.pool)
    return pools


def _groups(services: Iterable[Service]) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = defaultdict(set)
    for service in services:
        if service.firewall:
            groups[service.connections.firewall].add(service.firewall.group)
    return groups


def _entries(conn: str, groups: set[str]) -> tuple[Sequence[Entry], Mapping[str, str]]:
    """Return what is in these groups, in one call, and what is said of those that are missing.

    A missing one is the trouble of its services: the others are looked at all the same.
    """
    firewall = firewall_for(conn)
    try:
        return firewall.entries(groups), {}
    except Missing as missing:
        if len(groups) == 1:
            return (), dict.fromkeys(groups, str(missing))
    each = [_entries(conn, {group}) for group in sorted(groups)]
    return (
        [entry for entries, _ in each for entry in entries],
        {group: why for _, missing in each for group, why in missing.items()},
    )


def _zones(services: Iterable[Service]) -> dict[str, set[str]]:
    zones: dict[str, set[str]] = defaultdict(set)
    for service in services:
        zones[service.connections.nameserver].add(service.dns.zone)
    return zones


def _names(conn: str, zones: set[str]) -> tuple[Sequence[Address], Sequence[Address]]:
    """Return the forward and the reverse entries of a name server."""
    dns = NameServerHook(conn)
    reverse = [zone for zone in dns.zones if zone.endswith(".arpa")]
    return (
        [entry for zone in sorted(zones) for entry in dns.addresses(zone)],
        [entry for zone in reverse for entry in dns.addresses(zone)],
    )


def _idle_images(conn: str) -> tuple[CloudImage, ...]:
    cloud = OpenNebulaImagesHook(conn)
    return idle(cloud.images(), cloud.templates(), cloud.user)
