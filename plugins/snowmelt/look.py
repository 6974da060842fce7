"""Look at everything that is known of a service.

A plan reads every VM that OpenNebula has (`look_around`): also those that merely claim to be the
service's. What comes after it asks for single VMs: those of the service (`look`) or of the plan
(`look_back`), or one (`look_at_one`). All other systems are asked by name, and not at all by those
who only have to know which VMs serve (`look_at_traffic`) or go back (`look_for_way_back`). So what
a look costs is a matter of the service, not of the fleet (docs/adr/0017). Whatever a system may
still know is in the lists (`facts`), which is for the end of a service.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from include.catalogue.model import Service
from include.facts import EVERY_VM, Address, Certificate, CloudVm, Entry, HostHealth, Member, Scope
from include.planner import Facts, Plan, Seen, parse_name, see
from snowmelt.errors import SnowmeltError, raise_all
from snowmelt.hooks.balancer import balancer_for
from snowmelt.hooks.firewall import firewall_for
from snowmelt.hooks.monitoring import monitoring_for
from snowmelt.hooks.nameserver import NameServerHook
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.hooks.puppet_ca import PuppetCaHook

# From here on a list is cheaper in most fleets. Measured with Puppet Server 7: 10 ms for one
# certificate, 1.3 s for a list of 1,000.
MANY = 100


def facts(service: Service) -> Facts:
    """Return what all systems know, by their lists: also of VMs that OpenNebula does not have.

    A system that does not answer raises its own error.
    """
    found, away = facts_of_those_that_answer(service)
    raise_all(away)
    return found


def facts_of_those_that_answer(service: Service) -> tuple[Facts, list[SnowmeltError]]:
    """Return what the others know when some do not answer, and what those said instead.

    OpenNebula has to answer: nobody else knows which VMs there are.
    """
    vms = OpenNebulaHook(service.connections.opennebula).vms(service.name)
    away: list[SnowmeltError] = []
    lists: dict[str, Any] = {}
    for name, listed in _LISTS.items():
        try:
            lists[name] = listed(service)
        except SnowmeltError as error:
            away.append(error)
    return Facts(vms=vms, **lists), away


def look_around(service: Service) -> Seen:
    """Return what a plan has to see: all that look like the service's, and which id comes next."""
    cloud = OpenNebulaHook(service.connections.opennebula)
    next_id = cloud.next_id()  # before the VMs: one that comes in between has this or a higher one
    vms = cloud.vms(service.name)
    known = _facts_of(service, vms, {vm.name for vm in vms}, look_at_pool(service))
    return replace(see(service, known), next_id=next_id)


def look(service: Service, scope: Scope = EVERY_VM) -> Seen:
    """Return the VMs of a service as all systems together see them."""
    vms = OpenNebulaHook(service.connections.opennebula).vms_named(service.name, scope)
    names = {vm.name for vm in vms}
    return see(service, _facts_of(service, vms, names, look_at_pool(service)))


def look_at_traffic(service: Service, scope: Scope = EVERY_VM) -> Seen:
    """Return the VMs of a service as far as it takes to know which of them serve.

    Behind a balancer a VM serves when it runs and the balancer says so: nobody else is asked, and
    what only others know (in DNS, enrolled, monitored) is missing.
    """
    if service.balancer is None:
        return look(service, scope)
    vms = OpenNebulaHook(service.connections.opennebula).vms_named(service.name, scope)
    return see(service, Facts(vms=vms, members=look_at_pool(service)))


def asked(service: Service) -> tuple[str, str]:
    """Return the Connections that `look_at_traffic` asks, mostly."""
    return service.connections.opennebula, service.connections.balancer


def look_for_way_back(service: Service, scope: Scope = EVERY_VM) -> Seen:
    """Return the VMs of a service as far as it takes to undo a rollout: there, enrolled, members.

    Drained old VMs must not wait for a monitoring or a name server that is away.
    """
    vms = OpenNebulaHook(service.connections.opennebula).vms_named(service.name, scope)
    certificates = _certificates(service, sorted({service.fqdn(vm.name) for vm in vms}))
    return see(service, Facts(vms=vms, certificates=certificates, members=look_at_pool(service)))


def look_back(service: Service, plan: Plan) -> Facts:
    """Return what all systems know of the VMs of a plan, those that went among them."""
    cloud = OpenNebulaHook(service.connections.opennebula)
    vms = cloud.vms_named(service.name, plan.scope)
    staying = {vm.name for vm in plan.new} | {vm.name for vm in plan.kept}
    names = staying | {*plan.going} | {vm.name for vm in vms}
    return _facts_of(service, vms, names, look_at_pool(service))


def look_at_one(service: Service, name: str, scope: Scope = EVERY_VM) -> Seen:
    """Return one VM as all systems but the balancer see it."""
    vms = OpenNebulaHook(service.connections.opennebula).find(name, scope)
    return see(service, _facts_of(service, vms, {name}, ()))


def _facts_of(
    service: Service, vms: Sequence[CloudVm], names: Iterable[str], members: Sequence[Member]
) -> Facts:
    fqdns = sorted(map(service.fqdn, names))
    return Facts(
        vms=vms,
        certificates=_certificates(service, fqdns),
        addresses=_addresses(service, fqdns),
        health=_health(service, fqdns),
        members=members,
        entries=_entries(service),
    )


def _certificates(service: Service, fqdns: Collection[str]) -> Sequence[Certificate]:
    ca = PuppetCaHook(service.connections.puppet_ca)
    if len(fqdns) > MANY:
        return ca.certificates()
    return [found for fqdn in fqdns if (found := ca.certificate(fqdn))]


def _addresses(service: Service, fqdns: Collection[str]) -> Sequence[Address]:
    if len(fqdns) > MANY:
        return _all_addresses(service)
    dns, ttl = NameServerHook(service.connections.nameserver), service.dns.ttl
    return [
        Address(fqdn=fqdn, address=address, ttl=int(ttl.total_seconds()))
        for fqdn in fqdns
        for address in dns.lookup(fqdn)
    ]


def _health(service: Service, fqdns: Collection[str]) -> Sequence[HostHealth]:
    if service.monitoring is None or not fqdns:
        return ()
    return monitoring_for(service.connections.monitoring).health(fqdns)


def _all_addresses(service: Service) -> Sequence[Address]:
    dns = NameServerHook(service.connections.nameserver)
    mine = []
    for address in dns.addresses(service.dns.zone):
        name = parse_name(address.fqdn.removesuffix(f".{service.dns.zone}"))
        if name and name.service == service.name:
            mine.append(address)
    return mine


def _all_health(service: Service) -> Sequence[HostHealth]:
    if service.monitoring is None:
        return ()
    monitoring = monitoring_for(service.connections.monitoring)
    return monitoring.health(monitoring.hosts(service.name))


def look_at_pool(service: Service) -> Sequence[Member]:
    """Return the members of the service's pool."""
    if service.balancer is None:
        return ()
    return balancer_for(service.connections.balancer).members(service.balancer.pool)


def _entries(service: Service) -> Sequence[Entry]:
    if service.firewall is None:
        return ()
    return firewall_for(service.connections.firewall).entries([service.firewall.group])


def _all_certificates(service: Service) -> Sequence[Certificate]:
    return PuppetCaHook(service.connections.puppet_ca).certificates()


_LISTS: dict[str, Callable[[Service], Sequence[Any]]] = {
    "certificates": _all_certificates,
    "addresses": _all_addresses,
    "health": _all_health,
    "members": look_at_pool,
    "entries": _entries,
}
