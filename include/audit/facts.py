"""What all systems together know of the whole fleet: one list of each, by Airflow Connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from include.facts import Address, Certificate, CloudVm, Entry, Member
from include.image_facts import CloudImage
from include.inventory import Lease, Monitored

__all__ = ["FleetFacts", "Lease", "Monitored"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetFacts:
    """The keys are connection ids: two services may live in two clouds."""

    vms: Mapping[str, Sequence[CloudVm]] = field(default_factory=dict)  # extended form
    leases: Mapping[str, Sequence[Lease]] = field(default_factory=dict)
    certificates: Mapping[str, Sequence[Certificate]] = field(default_factory=dict)
    nodes: Mapping[str, Sequence[str]] = field(default_factory=dict)  # active ones of PuppetDB
    forward: Mapping[str, Sequence[Address]] = field(default_factory=dict)
    reverse: Mapping[str, Sequence[Address]] = field(
        default_factory=dict
    )  # fqdn: what it points to
    hosts: Mapping[str, Sequence[Monitored]] = field(default_factory=dict)
    members: Mapping[str, Sequence[Member]] = field(default_factory=dict)
    entries: Mapping[str, Sequence[Entry]] = field(default_factory=dict)
    no_groups: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict
    )  # a group that the firewall lacks: what it says
    images: Mapping[str, Sequence[CloudImage]] = field(
        default_factory=dict
    )  # brought in by us, and used by nothing
