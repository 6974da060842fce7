"""What is left of VMs that should be gone: nothing of a VM survives it in any system."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from include.catalogue.model import Service
from include.planner import Facts, parse_name


def traces(
    service: Service, names: Collection[str], facts: Facts, nodes: Collection[str]
) -> tuple[str, ...]:
    """Return a sentence for each trace of the VMs *names*; *nodes* are PuppetDB's active ones."""
    fqdns = {service.fqdn(name) for name in names}
    return tuple(_found(names, fqdns, facts, nodes))


def names_left(service: Service, facts: Facts, nodes: Collection[str]) -> tuple[str, ...]:
    """Return the names of all VMs of the service that any system still knows."""
    zone = f".{service.dns.zone}"
    known = [
        *(vm.name for vm in facts.vms),
        *(certificate.certname.removesuffix(zone) for certificate in facts.certificates),
        *(node.removesuffix(zone) for node in nodes),
        *(address.fqdn.removesuffix(zone) for address in facts.addresses),
        *(health.name.removesuffix(zone) for health in facts.health),
        *(member.name for member in facts.members),
        *(entry.name.removesuffix(zone) for entry in facts.entries),
    ]
    parsed = {name: parse_name(name) for name in known}
    return tuple(sorted(name for name, of in parsed.items() if of and of.service == service.name))


def _found(
    names: Collection[str], fqdns: Collection[str], facts: Facts, nodes: Collection[str]
) -> Iterator[str]:
    yield from (f"VM {vm.vm_id} {vm.name} is {vm.state}" for vm in facts.vms if vm.name in names)
    yield from (
        f"certificate of {c.certname} is {c.state}"
        for c in facts.certificates
        if c.certname in fqdns
    )
    yield from (f"PuppetDB has {node} as active" for node in nodes if node in fqdns)
    yield from (f"{a.fqdn} is {a.address}" for a in facts.addresses if a.fqdn in fqdns)
    yield from (f"{h.name} is monitored" for h in facts.health if h.name in fqdns)
    yield from (f"{m.name} is in pool {m.pool}" for m in facts.members if m.name in names)
    yield from (f"the firewall lets in {e.name}" for e in facts.entries if e.name in fqdns)
