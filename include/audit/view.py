"""All that is known of one service, and whose it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from include.audit.facts import Monitored
from include.catalogue.model import Service
from include.facts import Certificate, CloudVm, Member
from include.planner import VmName, marked, parse_name, rollout_of
from include.planner.names import RELEASE_MARK

Addresses = dict[str, set[str]]


@dataclass(kw_only=True, slots=True)
class View:
    """What all systems know of one service. The keys are names of VMs, not FQDNs."""

    service: Service
    replicas: int  # that the catalogue wants now
    now: datetime
    vms: dict[str, list[CloudVm]] = field(default_factory=lambda: defaultdict(list))  # by id
    certificates: dict[str, Certificate] = field(default_factory=dict)
    nodes: set[str] = field(default_factory=set)
    forward: Addresses = field(default_factory=lambda: defaultdict(set))
    reverse: Addresses = field(default_factory=lambda: defaultdict(set))
    hosts: dict[str, Monitored] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    entries: Addresses = field(default_factory=lambda: defaultdict(set))  # in the firewall
    groupless: str = ""  # what the firewall says when it lacks the service's group
    let_in: dict[str, str] = field(default_factory=dict)  # address in its group -> whose
    taken: Mapping[str, str] = field(default_factory=dict)  # address -> FQDN that it points to
    lost: set[str] = field(default_factory=set)  # that the last audit missed
    missed: set[str] = field(default_factory=set)  # that any did; nothing tells of them any more
    in_use: frozenset[str] = frozenset()  # addresses of all VMs of its cloud
    rollouts: frozenset[str] = frozenset()  # "shop-k3f9x2q": those that are ours beyond doubt

    @property
    def names(self) -> list[str]:
        """Every name of ours that any system has, in order."""
        known = (self.vms, self.certificates, self.nodes, self.forward, self.reverse)
        served = (self.hosts, self.members, self.entries, self.lost)
        return sorted({name for each in (*known, *served) for name in each})

    def ours(self, name: str) -> list[CloudVm]:
        """The VMs of that name that carry our marks."""
        return [vm for vm in self.vms.get(name, ()) if marked(self.service, vm)]

    def of_ours(self, name: str) -> bool:
        """Whether a name is of a rollout that we know to be ours: anybody may choose a name."""
        return rollout_of(name) in self.rollouts

    def gone(self, name: str) -> bool:
        """Whether a name is of a VM of ours that is not there any more."""
        return self.of_ours(name) and not self.vms.get(name)

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

    def release_to_heal(self, vm: CloudVm) -> str:
        """Return what a VM was made with, "" where those that serve tell a rollout the release."""
        return "" if self.serving() else vm.context.get(RELEASE_MARK, "")

    def _serves(self, vm: CloudVm) -> bool:
        member = self.members.get(vm.name)
        up = self.service.balancer is None or (member is not None and member.state == "up")
        return vm.phase == "running" and up


def slot_of(name: str) -> VmName:
    """Return the parts of a name that a view holds."""
    parts = parse_name(name)
    if parts is None:
        raise ValueError(f"{name} is no name of ours")
    return parts


def proved(view: View) -> frozenset[str]:
    """Return the rollouts that left what only we leave: a VM of ours, a host with our variable."""
    alive = (name for name in view.vms if view.ours(name))
    return frozenset(rollout_of(name) for name in (*alive, *view.hosts))
