"""What stands next to ours and is somebody else's. Listed, never touched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from include.audit.facts import FleetFacts
from include.audit.finding import Finding
from include.audit.view import View
from include.catalogue.model import Service
from include.catalogue.requests import TRIAL
from include.facts import Address
from include.ownership import is_of
from include.planner import parse_name, short_name
from include.planner.names import SERVICE_MARK


def foreign(views: Mapping[str, View], facts: FleetFacts) -> Iterator[Finding]:
    """Yield things that carry a mark of ours, or stand where ours do, and are not ours."""
    yield from _vms(facts)
    yield from _hosts(facts)
    yield from _members(views, facts)
    yield from _entries(views, facts)
    yield from _leases(facts)
    yield from _unknown_services(views, facts)


def _foreign(system: str, thing: str, reason: str, doubt: str) -> Finding:
    return Finding(system=system, thing=thing, kind="foreign", reason=reason, doubt=doubt)


def _vms(facts: FleetFacts) -> Iterator[Finding]:
    for vm in (vm for vms in facts.vms.values() for vm in vms):
        if parse_name(vm.name) is None:
            reason = f"says it is of {vm.attributes.get(SERVICE_MARK, 'no service')}"
            doubt = "it has no name of ours; any guest can claim our attribute"
            yield _foreign("OpenNebula", f"VM {vm.vm_id} {vm.name}", reason, doubt)


def _hosts(facts: FleetFacts) -> Iterator[Finding]:
    for host in (host for hosts in facts.hosts.values() for host in hosts):
        parts = parse_name(short_name(host.name))
        if parts is None or parts.service != host.service:
            reason = f"says it is of {host.service}"
            yield _foreign("monitoring", f"host {host.name}", reason, "it has no name of ours")


def _members(views: Mapping[str, View], facts: FleetFacts) -> Iterator[Finding]:
    pools = {
        (view.service.connections.balancer, view.service.balancer.pool): view.service.name
        for view in views.values()
        if view.service.balancer
    }
    for conn, members in facts.members.items():
        for member in members:
            service, parts = pools.get((conn, member.pool)), parse_name(member.name)
            if service and (parts is None or parts.service != service):
                thing = f"member {member.name} of pool {member.pool}"
                yield _foreign("balancer", thing, f"in the pool of {service}", "made by hand")


def _entries(views: Mapping[str, View], facts: FleetFacts) -> Iterator[Finding]:
    groups: dict[tuple[str, str], list[Service]] = defaultdict(list)  # several may share one
    for view in views.values():
        groups[view.service.connections.firewall, view.group].append(view.service)
    for conn, entries in facts.entries.items():
        for entry in entries:
            services = groups.get((conn, entry.group), [])
            if services and not any(is_of(service, entry.name) for service in services):
                thing = f"{entry.name or 'no name'} = {entry.address} in group {entry.group}"
                of = ", ".join(service.name for service in services)
                yield _foreign("firewall", thing, f"in the group of {of}", "made by hand")


def _leases(facts: FleetFacts) -> Iterator[Finding]:
    for lease in (lease for leases in facts.leases.values() for lease in leases):
        thing = f"lease {lease.address} of network {lease.network}"
        if lease.vm_id == -1:
            yield _foreign("OpenNebula", thing, "held, by no VM", "Snowmelt holds no leases")
        else:
            reason = f"VM {lease.vm_id} has ended and still has it"
            yield _foreign("OpenNebula", thing, reason, "only OpenNebula's onedb fsck frees it")


def _all(part: Mapping[str, Sequence[Address]]) -> Iterator[Address]:
    return (address for addresses in part.values() for address in addresses)


def _unknown_services(views: Mapping[str, View], facts: FleetFacts) -> Iterator[Finding]:
    things = {
        "OpenNebula": (("VM", vm.name) for vms in facts.vms.values() for vm in vms),
        "Puppet CA": (
            ("certificate of", c.certname) for cs in facts.certificates.values() for c in cs
        ),
        "PuppetDB": (("node", node) for nodes in facts.nodes.values() for node in nodes),
        "DNS": (("name", a.fqdn) for part in (facts.forward, facts.reverse) for a in _all(part)),
        "monitoring": (("host", h.name) for hosts in facts.hosts.values() for h in hosts),
    }
    for system, found in things.items():
        for what, name in sorted(set(found)):
            parts = parse_name(short_name(name))
            if parts and parts.service not in views:
                thing, reason = f"{what} {name}", "reads like one of ours"
                yield _foreign(system, thing, reason, _no_service(parts.service))


def _no_service(name: str) -> str:
    if name.endswith(TRIAL):
        tried = name.removesuffix(TRIAL)
        return f"of a trial by `refresh_image`: its run, or the next trial of {tried}, removes it"
    return f"the catalogue has no service {name}"
