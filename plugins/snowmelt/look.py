"""Look at everything that is known of a service: one call for each list, none for each VM."""

from __future__ import annotations

from collections.abc import Sequence

from include.catalogue.model import Service
from include.facts import Address, HostHealth, Member
from include.planner import Facts, Seen, parse_name, see
from snowmelt.hooks.balancer import balancer_for
from snowmelt.hooks.monitoring import monitoring_for
from snowmelt.hooks.nameserver import NameServerHook
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.hooks.puppet_ca import PuppetCaHook


def facts(service: Service) -> Facts:
    """Return what all systems know. A system that does not answer raises its own error."""
    return Facts(
        vms=OpenNebulaHook(service.connections.opennebula).vms(service.name),
        certificates=PuppetCaHook(service.connections.puppet_ca).certificates(),
        addresses=_addresses(service),
        health=_health(service),
        members=look_at_pool(service),
    )


def look(service: Service) -> Seen:
    """Return the VMs of a service as all systems together see them."""
    return see(service, facts(service))


def look_at_pool(service: Service) -> Sequence[Member]:
    """Return the members of the service's pool."""
    if service.balancer is None:
        return ()
    idle_s = service.drain.idle.total_seconds()
    balancer = balancer_for(service.connections.balancer)
    return balancer.members(service.balancer.pool, idle_s)


def _addresses(service: Service) -> Sequence[Address]:
    dns = NameServerHook(service.connections.nameserver)
    mine = []
    for address in dns.addresses(service.dns.zone):
        name = parse_name(address.fqdn.removesuffix(f".{service.dns.zone}"))
        if name and name.service == service.name:
            mine.append(address)
    return mine


def _health(service: Service) -> Sequence[HostHealth]:
    if service.monitoring is None:
        return ()
    monitoring = monitoring_for(service.connections.monitoring)
    return monitoring.health(monitoring.hosts(service.name))
