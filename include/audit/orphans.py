"""Traces of VMs that are gone, each alone: one may be left where all others were removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from include.audit.finding import Finding
from include.audit.view import View, slot_of

GONE = "its VM is gone"


def orphans(view: View, known: frozenset[str]) -> Iterator[Finding]:
    """Yield what is left of VMs that OpenNebula does not have.

    *known*: "service-rollout" of the VMs that earlier audits saw alive.
    """
    for name in view.names:
        if not view.vms.get(name):
            doubt = _doubt(view, name, known)
            for found in _traces(view, name):
                yield replace(found, doubt=doubt)


def _doubt(view: View, name: str, known: frozenset[str]) -> str:
    """Return why the traces of a name may not be ours, or nothing.

    "shop-staging-0" reads like a name of ours. A rollout without any digit may be somebody's
    word (a quarter of ours have none), so it needs another mark.
    """
    member = view.members.get(name)
    if member and member.state == "up" and member.address not in view.in_use:
        return f"something answers at {member.address}: does OpenNebula show all VMs?"
    rollout = slot_of(name).rollout
    seen = f"{view.service.name}-{rollout}" in known or name in view.hosts
    if rollout.isalpha() and not seen:
        return f"nobody saw such a VM alive, and {rollout!r} may be a word that a person chose"
    return ""


def _traces(view: View, name: str) -> Iterator[Finding]:
    service = view.service.name
    if member := view.members.get(name):
        yield Finding(
            system="balancer",
            thing=f"member {name} of pool {member.pool}",
            kind="orphan",
            reason=f"{GONE}; the member is {member.state}",
            service=service,
            name=name,
            act="remove member",
            address=member.address,
        )
    fqdn = view.service.fqdn(name)
    if name in view.hosts:
        yield Finding(
            system="monitoring",
            thing=f"host {fqdn}",
            kind="orphan",
            reason=GONE,
            service=service,
            name=name,
            act="remove host",
        )
    yield from _in_puppet(view, name, fqdn)
    yield from _in_dns(view, name, fqdn)


def _in_puppet(view: View, name: str, fqdn: str) -> Iterator[Finding]:
    if certificate := view.certificates.get(name):
        asked = certificate.state == "requested"
        yield Finding(
            system="Puppet CA",
            thing=f"{'request' if asked else 'certificate'} of {fqdn}",
            kind="orphan",
            reason=f"{GONE}; it is {certificate.state}",
            service=view.service.name,
            name=name,
            act="remove certificate",
        )
    if name in view.nodes:
        yield Finding(
            system="PuppetDB",
            thing=f"node {fqdn}",
            kind="orphan",
            reason=f"{GONE}; the node is active",
            service=view.service.name,
            name=name,
            act="deactivate node",
        )


def _in_dns(view: View, name: str, fqdn: str) -> Iterator[Finding]:
    forward, reverse = view.forward.get(name, set()), view.reverse.get(name, set())
    for address in sorted(forward | reverse):
        ways = [
            way for way, there in (("forward", forward), ("reverse", reverse)) if address in there
        ]
        yield Finding(
            system="DNS",
            thing=f"{fqdn} = {address}",
            kind="orphan",
            reason=f"{GONE}; {' and '.join(ways)} {'entry' if len(ways) == 1 else 'entries'}",
            service=view.service.name,
            name=name,
            act="remove names",
            address=address,
        )
