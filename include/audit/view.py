"""The facts of the fleet sorted by service: who is who is decided by names, once for all lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import TypeVar

from include.audit.facts import FleetFacts, Monitored
from include.catalogue.model import Service
from include.facts import Certificate, CloudVm, Entry, Member
from include.planner import VmName, parse_name

T = TypeVar("T")
Addresses = dict[str, set[str]]


@dataclass(kw_only=True, slots=True)
class View:
    """What all systems know of one service. The keys are names of VMs, not FQDNs."""

    service: Service
    replicas: int  # that the catalogue wants now
    vms: dict[str, list[CloudVm]] = field(default_factory=lambda: defaultdict(list))  # by id
    certificates: dict[str, Certificate] = field(default_factory=dict)
    nodes: set[str] = field(default_factory=set)
    forward: Addresses = field(default_factory=lambda: defaultdict(set))
    reverse: Addresses = field(default_factory=lambda: defaultdict(set))
    hosts: dict[str, Monitored] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    entries: Addresses = field(default_factory=lambda: defaultdict(set))  # in the firewall
    let_in: dict[str, str] = field(default_factory=dict)  # address in its group -> whose
    taken: Mapping[str, str] = field(default_factory=dict)  # address -> FQDN that it points to
    in_use: frozenset[str] = frozenset()  # addresses of all VMs of its cloud
    rollouts: frozenset[str] = frozenset()  # "shop-k3f9x2q": those that are ours beyond doubt

    @property
    def names(self) -> list[str]:
        """Every name of ours that any system has, in order."""
        known = (self.vms, self.certificates, self.nodes, self.forward, self.reverse)
        served = (self.hosts, self.members, self.entries)
        return sorted({name for each in (*known, *served) for name in each})

    def ours(self, name: str) -> list[CloudVm]:
        """The VMs of that name that carry our marks."""
        return [vm for vm in self.vms.get(name, ()) if marked(self.service, vm)]

    def of_ours(self, name: str) -> bool:
        """Whether a name is of a rollout that we know to be ours: anybody may choose a name."""
        return rollout_of(name) in self.rollouts

    def empty(self) -> bool:
        """Whether no VM of ours is there at all, although the catalogue wants some."""
        return self.replicas > 0 and not any(self.ours(name) for name in self.vms)

    @property
    def group(self) -> str:
        """The service's group in the firewall; empty where it has none."""
        return self.service.firewall.group if self.service.firewall else ""

    def serving(self) -> bool:
        """Whether any VM of the service serves."""
        return any(self._serves(vm) for name in self.vms for vm in self.ours(name))

    def _serves(self, vm: CloudVm) -> bool:
        member = self.members.get(vm.name)
        up = self.service.balancer is None or (member is not None and member.state == "up")
        return vm.phase == "running" and up


def marked(service: Service, vm: CloudVm) -> bool:
    """Say whether a VM of our name carries our marks; a guest cannot write its context."""
    by_context = vm.context.get("SET_HOSTNAME") == service.fqdn(vm.name)
    return by_context or vm.attributes.get("SNOWMELT_SERVICE") == service.name


def slot_of(name: str) -> VmName:
    """Return the parts of a name that a view holds."""
    parts = parse_name(name)
    if parts is None:
        raise ValueError(f"{name} is no name of ours")
    return parts


def rollout_of(name: str) -> str:
    """Return what the names of all VMs of one rollout have in common: "shop-k3f9x2q"."""
    return name.rpartition("-")[0]


def view_services(
    services: Iterable[Service],
    facts: FleetFacts,
    now: datetime,
    known: frozenset[str] = frozenset(),
) -> dict[str, View]:
    """Return the view of each service, in one pass over each list.

    *known*: the rollouts ("shop-k3f7x2q") that earlier audits knew to be ours.
    """
    views = {s.name: View(service=s, replicas=_wanted(s, now)) for s in services}
    for view in views.values():
        conns = view.service.connections
        cloud = facts.vms.get(conns.opennebula, ())
        view.taken = {a.address: a.fqdn for a in facts.reverse.get(conns.nameserver, ())}
        view.in_use = frozenset(address for vm in cloud for address in vm.addresses)
    _sort_vms(views, facts)
    _sort_puppet(views, facts)
    _sort_names(views, facts)
    _sort_traffic(views, facts)
    _sort_entries(views, facts)
    for view in views.values():
        view.rollouts = known | proved(view)
    return views


def proved(view: View) -> frozenset[str]:
    """Return the rollouts that left what only we leave: a VM of ours, a host with our variable."""
    alive = (name for name in view.vms if view.ours(name))
    return frozenset(rollout_of(name) for name in (*alive, *view.hosts))


def _wanted(service: Service, now: datetime) -> int:
    """A VM that somebody asked for is wanted until its end."""
    expired = service.expires_at is not None and service.expires_at <= now
    return 0 if expired else service.replicas


def _sort_vms(views: Mapping[str, View], facts: FleetFacts) -> None:
    for conn, vms in facts.vms.items():
        for vm in sorted(vms, key=lambda vm: vm.vm_id):
            view = _view(views, vm.name)
            if view and view.service.connections.opennebula == conn and vm.phase != "done":
                view.vms[vm.name].append(vm)


def _sort_puppet(views: Mapping[str, View], facts: FleetFacts) -> None:
    by_certname = attrgetter("certname")
    for view, name, found in _each(views, facts.certificates, by_certname, "puppet_ca"):
        view.certificates[name] = found
    for view, name, _node in _each(views, facts.nodes, str, "puppetdb"):
        view.nodes.add(name)


def _sort_names(views: Mapping[str, View], facts: FleetFacts) -> None:
    by_fqdn = attrgetter("fqdn")
    for view, name, found in _each(views, facts.forward, by_fqdn, "nameserver"):
        view.forward[name].add(found.address)
    for view, name, found in _each(views, facts.reverse, by_fqdn, "nameserver"):
        view.reverse[name].add(found.address)


def _sort_traffic(views: Mapping[str, View], facts: FleetFacts) -> None:
    for view, name, host in _each(views, facts.hosts, attrgetter("name"), "monitoring"):
        if host.service == view.service.name:
            view.hosts[name] = host
    for conn, members in facts.members.items():
        for member in members:
            owner = _view(views, member.name)
            if owner and _in_pool(owner.service, conn, member):
                owner.members[member.name] = member


def _sort_entries(views: Mapping[str, View], facts: FleetFacts) -> None:
    for view in views.values():
        for entry in facts.entries.get(view.service.connections.firewall, ()):
            if _in_group(view.service, entry):
                view.let_in[entry.address] = entry.name
    for view, name, entry in _each(views, facts.entries, attrgetter("name"), "firewall"):
        if _in_group(view.service, entry):
            view.entries[name].add(entry.address)


def _in_group(service: Service, entry: Entry) -> bool:
    return service.firewall is not None and service.firewall.group == entry.group


def _each(
    views: Mapping[str, View],
    lists: Mapping[str, Sequence[T]],
    fqdn: Callable[[T], str],
    connection: str,
) -> Iterator[tuple[View, str, T]]:
    """Yield what the system behind a service's own connection knows under names of ours."""
    for conn, items in lists.items():
        for item in items:
            for view, name in _owner(views, fqdn(item)):
                if getattr(view.service.connections, connection) == conn:
                    yield view, name, item


def _in_pool(service: Service, conn: str, member: Member) -> bool:
    pool = service.balancer
    return pool is not None and (service.connections.balancer, pool.pool) == (conn, member.pool)


def _view(views: Mapping[str, View], name: str) -> View | None:
    parts = parse_name(name)
    return views.get(parts.service) if parts else None


def _owner(views: Mapping[str, View], fqdn: str) -> Iterator[tuple[View, str]]:
    """Yield the service that an FQDN belongs to, if any: its zone has to be that of the service."""
    name = fqdn.partition(".")[0]
    view = _view(views, name)
    if view and view.service.fqdn(name) == fqdn:
        yield view, name
