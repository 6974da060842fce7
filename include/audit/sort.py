"""Sort the facts of the fleet by service: who is who is decided by names, once for all lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import TypeVar

from include.audit.facts import FleetFacts
from include.audit.view import View, proved
from include.catalogue.model import Service
from include.facts import Entry, Member
from include.ownership import is_of
from include.planner import parse_name, short_name

T = TypeVar("T")


def view_services(
    services: Iterable[Service],
    facts: FleetFacts,
    now: datetime,
    known: frozenset[str] = frozenset(),
    lost: frozenset[str] = frozenset(),
    missed: frozenset[str] = frozenset(),
) -> dict[str, View]:
    """Return the view of each service, in one pass over each list.

    *known*: the rollouts ("shop-k3f7x2q") that earlier audits knew to be ours. *lost*: VMs that the
    audit of this run missed; what showed it may have been removed since. *missed*: VMs that audits
    before it did, which a rollout may have taken away by now.
    """
    views = {s.name: View(service=s, replicas=_wanted(s, now), now=now) for s in services}
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
    for name in lost | missed:
        if owner := _view(views, name):
            (owner.lost if name in lost else owner.missed).add(name)
    return views


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
        missing = facts.no_groups.get(view.service.connections.firewall, {})
        view.groupless = missing.get(view.group, "")
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
    name = short_name(fqdn)
    view = _view(views, name)
    if view and is_of(view.service, fqdn):
        yield view, name
