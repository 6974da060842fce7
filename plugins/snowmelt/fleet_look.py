"""Look at the whole fleet: one call for each list of each system, however many services share it.

The VMs come last: what is seen of a VM elsewhere has its VM in the list that is read afterwards,
or the VM is gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from include.audit import FleetFacts
from include.catalogue.model import Service
from include.facts import Address, Entry
from include.image_facts import CloudImage
from include.image_rules import idle
from snowmelt.errors import Missing
from snowmelt.hooks.balancer import balancer_for
from snowmelt.hooks.firewall import firewall_for
from snowmelt.hooks.monitoring import monitoring_for
from snowmelt.hooks.nameserver import NameServerHook
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.hooks.opennebula_images import OpenNebulaImagesHook
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.hooks.puppetdb import PuppetDbHook


def look_at_fleet(services: Collection[Service]) -> FleetFacts:
    """Return what all systems know. A system that does not answer raises its own error."""
    clouds = {conn: OpenNebulaHook(conn) for conn in _used(services, "opennebula")}
    names = {conn: _names(conn, zones) for conn, zones in _zones(services).items()}
    walls = {conn: _entries(conn, groups) for conn, groups in _groups(services).items()}
    # in this order: arguments are evaluated one after the other
    return FleetFacts(
        members={
            conn: balancer_for(conn).members_of(pools) for conn, pools in _pools(services).items()
        },
        entries={conn: entries for conn, (entries, _) in walls.items()},
        no_groups={conn: missing for conn, (_, missing) in walls.items()},
        hosts={conn: monitoring_for(conn).inventory() for conn in _monitored(services)},
        certificates={
            conn: PuppetCaHook(conn).certificates() for conn in _used(services, "puppet_ca")
        },
        nodes={conn: PuppetDbHook(conn).nodes() for conn in _used(services, "puppetdb")},
        forward={conn: forward for conn, (forward, _) in names.items()},
        reverse={conn: reverse for conn, (_, reverse) in names.items()},
        images={conn: _idle_images(conn) for conn in clouds},
        leases={conn: cloud.held_leases() for conn, cloud in clouds.items()},
        vms={conn: cloud.vms() for conn, cloud in clouds.items()},
    )


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
