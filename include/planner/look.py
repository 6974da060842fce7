"""Put the facts of all systems together: what is seen of one service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include.catalogue.model import Service
from include.facts import Address, Certificate, CloudVm, Entry, HostHealth, Member
from include.planner.model import Foreign, Seen, SeenVm
from include.planner.names import (
    HOSTNAME_MARK,
    RELEASE_MARK,
    SERVICE_MARK,
    VmName,
    parse_name,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the hooks found. More than the service's own is fine: the rest is left out."""

    vms: Sequence[CloudVm] = ()  # extended form: with attributes and context
    certificates: Sequence[Certificate] = ()
    addresses: Sequence[Address] = ()
    health: Sequence[HostHealth] = ()
    members: Sequence[Member] = ()  # of the service's pool
    entries: Sequence[Entry] = ()  # of the service's group in the firewall
    unreadable: tuple[str, ...] = ()


def see(service: Service, facts: Facts) -> Seen:
    """Return the service as all systems together show it."""
    known = _Known(service, facts)
    named = [(vm, parse_name(vm.name)) for vm in facts.vms if vm.phase != "done"]
    ours = [(vm, name) for vm, name in named if name and name.service == service.name]
    return Seen(
        vms=tuple(known.seen(vm, name) for vm, name in ours if marked(service, vm)),
        foreign=(
            *(_not_ours(service, facts, vm) for vm, _ in ours if not marked(service, vm)),
            *(_without_name(vm) for vm, name in named if name is None and _claims(service, vm)),
        ),
        unreadable=facts.unreadable,
    )


def marked(service: Service, vm: CloudVm) -> bool:
    """Say whether a VM of our name carries our marks.

    A guest can overwrite its attributes through OneGate, but not its context: that decides.

    Another Snowmelt in the same account may run a service of that name, in a zone of its own.
    """
    told = _hostname(vm)
    return told == service.fqdn(vm.name) if told else _claims(service, vm)


def _hostname(vm: CloudVm) -> str:
    return vm.context.get(HOSTNAME_MARK, "")


def _claims(service: Service, vm: CloudVm) -> bool:
    return vm.attributes.get(SERVICE_MARK) == service.name


def _not_ours(service: Service, facts: Facts, vm: CloudVm) -> Foreign:
    """In another zone it is in nobody's way, unless our pool has it: then our zone has changed."""
    told = _hostname(vm)
    elsewhere = told.partition(".")[2] not in ("", service.dns.zone)
    why = f"is {told} by its context" if told else f"neither our context nor {SERVICE_MARK}"
    return Foreign(
        name=vm.name,
        vm_id=vm.vm_id,
        why=f"has a name of ours, but {why}",
        blocking=not elsewhere or vm.name in {member.name for member in facts.members},
    )


def _without_name(vm: CloudVm) -> Foreign:
    """Any guest can claim our attribute; that must not stop our rollouts."""
    why = f"has our {SERVICE_MARK}, but no name of ours"
    return Foreign(name=vm.name, vm_id=vm.vm_id, why=why, blocking=False)


class _Known:
    """What the other systems know, by the name under which they know it."""

    def __init__(self, service: Service, facts: Facts) -> None:
        self._service = service
        self._signed = {c.certname for c in facts.certificates if c.state == "signed"}
        self._addresses = {(a.fqdn, a.address) for a in facts.addresses}
        self._health = {h.name: h for h in facts.health}
        self._members = {m.name: m for m in facts.members}
        self._entries = {(e.group, e.name, e.address) for e in facts.entries}

    def seen(self, vm: CloudVm, name: VmName) -> SeenVm:
        fqdn, address = self._service.fqdn(vm.name), next(iter(vm.addresses), "")
        return SeenVm(
            name=vm.name,
            fqdn=fqdn,
            slot=name.slot,
            rollout=name.rollout,
            release=vm.context.get(RELEASE_MARK) or vm.attributes.get(RELEASE_MARK, ""),
            vm_id=vm.vm_id,
            address=address,
            phase=vm.phase,
            state=vm.state,
            created_at=vm.created_at,
            message=vm.message,
            in_dns=(fqdn, address) in self._addresses,
            enrolled=fqdn in self._signed,
            let_in=self._let_in(fqdn, address),
            health=self._health.get(fqdn),
            member=self._members.get(vm.name),
        )

    def _let_in(self, fqdn: str, address: str) -> bool:
        wanted = self._service.firewall
        return wanted is None or (wanted.group, fqdn, address) in self._entries
