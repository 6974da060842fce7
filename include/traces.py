"""What is left of VMs that should be gone: nothing of a VM survives it in any system."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from include.catalogue.model import Service
from include.ownership import is_of
from include.planner import Facts, rollout_of, see, short_name


def traces(
    service: Service, names: Collection[str], facts: Facts, nodes: Collection[str]
) -> tuple[str, ...]:
    """Return a sentence for each trace of the VMs *names*; *nodes* are PuppetDB's active ones."""
    fqdns = {service.fqdn(name) for name in names}
    return tuple(_found(names, fqdns, facts, nodes))


def names_left(
    service: Service, facts: Facts, nodes: Collection[str], known: Collection[str]
) -> tuple[str, ...]:
    """Return the names of all VMs of ours, of this service, that any system still knows.

    *known*: rollouts ("shop-k3f7x2q") that are ours. So is one that has a VM with our marks, or a
    host in monitoring: of those `facts` holds only what carries our variable. All others are names
    that people chose, and a name that somebody else's VM has is left to it.
    """
    seen = see(service, facts)
    hosts = (short_name(health.name) for health in facts.health)
    ours = {*known, *map(rollout_of, (*hosts, *(vm.name for vm in seen.vms)))}
    left = {short_name(fqdn) for fqdn in _fqdns(service, facts, nodes) if is_of(service, fqdn)}
    theirs = {vm.name for vm in seen.foreign}
    return tuple(sorted(name for name in left - theirs if rollout_of(name) in ours))


def _fqdns(service: Service, facts: Facts, nodes: Collection[str]) -> Iterator[str]:
    """Yield every FQDN that any system knows, of whatever service."""
    yield from (service.fqdn(vm.name) for vm in facts.vms)
    yield from (certificate.certname for certificate in facts.certificates)
    yield from nodes
    yield from (address.fqdn for address in facts.addresses)
    yield from (health.name for health in facts.health)
    yield from (service.fqdn(member.name) for member in facts.members)
    yield from (entry.name for entry in facts.entries)


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
