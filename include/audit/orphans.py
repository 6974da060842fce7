"""Traces of VMs that are gone, each alone: one may be left where all others were removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from include.audit.finding import Finding
from include.audit.view import View, slot_of

GONE = "its VM is gone"


def orphans(view: View) -> Iterator[Finding]:
    """Yield what is left of VMs that OpenNebula does not have."""
    for name in view.names:
        if not view.vms.get(name):
            doubt = _doubt(view, name)
            for found in _traces(view, name):
                yield replace(found, doubt=doubt)


def _doubt(view: View, name: str) -> str:
    """Return why the traces of a name may be somebody's, or of a VM that lives; else nothing.

    "shop-staging-0" and "shop-worker2-0" read like names of ours.
    """
    rollout, service = slot_of(name).rollout, view.service.name
    if answers := answering(view, name):
        return answers
    if not view.of_ours(name):
        return f"no audit saw a VM of rollout {rollout} alive: a person may have chosen the name"
    if view.empty():
        return (
            f"no VM of {service} is there at all: does OpenNebula show all VMs? Where {service}"
            " is retired, let its file say replicas: 0"
        )
    return ""


def answering(view: View, name: str) -> str:
    """Return why a VM that OpenNebula does not have may live all the same, or nothing."""
    member, host = view.members.get(name), view.hosts.get(name)
    if member and member.state == "up" and member.address not in view.in_use:
        return f"something answers at {member.address}: does OpenNebula show all VMs?"
    if host and host.down_since is None and host.address not in view.in_use:
        return f"monitoring does not find {host.address} down: does OpenNebula show all VMs?"
    return ""


def _traces(view: View, name: str) -> Iterator[Finding]:
    fqdn = view.service.fqdn(name)
    orphan = partial(Finding, kind="orphan", service=view.service.name, name=name)
    if member := view.members.get(name):
        yield orphan(
            system="balancer",
            thing=f"member {name} of pool {member.pool}",
            reason=f"{GONE}; the member is {member.state}",
            act="remove member",
            address=member.address,
        )
    if name in view.hosts:
        yield orphan(system="monitoring", thing=f"host {fqdn}", reason=GONE, act="remove host")
    if certificate := view.certificates.get(name):
        what = "request" if certificate.state == "requested" else "certificate"
        yield orphan(
            system="Puppet CA",
            thing=f"{what} of {fqdn}",
            reason=f"{GONE}; it is {certificate.state}",
            act="remove certificate",
        )
    if name in view.nodes:
        reason = f"{GONE}; the node is active"
        yield orphan(system="PuppetDB", thing=f"node {fqdn}", reason=reason, act="deactivate node")
    for address, entries in _in_dns(view, name):
        yield orphan(
            system="DNS",
            thing=f"{fqdn} = {address}",
            reason=f"{GONE}; {entries}",
            act="remove names",
            address=address,
        )
    for address in sorted(view.entries.get(name, ())):
        yield orphan(
            system="firewall",
            thing=f"{fqdn} = {address} in group {view.group}",
            reason=f"{GONE}; the firewall lets in whoever has its address",
            act="remove entry",
            address=address,
        )


def _in_dns(view: View, name: str) -> Iterator[tuple[str, str]]:
    """Yield each address of a name, and which entries there are of the two."""
    forward, reverse = view.forward.get(name, set()), view.reverse.get(name, set())
    for address in sorted(forward | reverse):
        if address in forward & reverse:
            yield address, "forward and reverse entries"
        else:
            yield address, f"{'forward' if address in forward else 'reverse'} entry"
