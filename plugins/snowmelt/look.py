"""Look at everything that is known of a service: one call for each list, none for each VM.

A plan and its verification look at every VM that OpenNebula has (`facts`), also at those that only
claim to be the service's. A guard asks before each act of each VM: it looks at those that have the
service's names (`look`), which in a large fleet are few of many, or at its one VM (`look_at_one`).
"""

from __future__ import annotations

from collections.abc import Sequence

from include.catalogue.model import Service
from include.facts import Address, CloudVm, Entry, HostHealth, Member
from include.planner import Facts, Seen, parse_name, see
from snowmelt.hooks.balancer import balancer_for
from snowmelt.hooks.firewall import firewall_for
from snowmelt.hooks.monitoring import monitoring_for
from snowmelt.hooks.nameserver import NameServerHook
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.hooks.puppet_ca import PuppetCaHook


def facts(service: Service) -> Facts:
    """Return what all systems know. A system that does not answer raises its own error."""
    return _facts(service, OpenNebulaHook(service.connections.opennebula).vms(service.name))


def look(service: Service) -> Seen:
    """Return the VMs of a service as all systems together see them."""
    named = OpenNebulaHook(service.connections.opennebula).vms_named(service.name)
    return see(service, _facts(service, named))


def look_at_one(service: Service, name: str) -> Seen:
    """Return one VM as all systems but the balancer see it, without reading any list of them."""
    conns, fqdn = service.connections, service.fqdn(name)
    certificate = PuppetCaHook(conns.puppet_ca).certificate(fqdn)
    addresses = NameServerHook(conns.nameserver).lookup(fqdn)
    monitored = service.monitoring is not None
    known = Facts(
        vms=OpenNebulaHook(conns.opennebula).find(name),
        certificates=[certificate] if certificate else [],
        addresses=[Address(fqdn=fqdn, address=each, ttl=0) for each in addresses],
        health=monitoring_for(conns.monitoring).health([fqdn]) if monitored else (),
        entries=_entries(service),
    )
    return see(service, known)


def _facts(service: Service, vms: Sequence[CloudVm]) -> Facts:
    return Facts(
        vms=vms,
        certificates=PuppetCaHook(service.connections.puppet_ca).certificates(),
        addresses=_addresses(service),
        health=_health(service),
        members=look_at_pool(service),
        entries=_entries(service),
    )


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


def _entries(service: Service) -> Sequence[Entry]:
    if service.firewall is None:
        return ()
    return firewall_for(service.connections.firewall).entries([service.firewall.group])


def _health(service: Service) -> Sequence[HostHealth]:
    if service.monitoring is None:
        return ()
    monitoring = monitoring_for(service.connections.monitoring)
    return monitoring.health(monitoring.hosts(service.name))
