"""A fleet in memory, whole in every system; tests break it in one place and look what is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from include.audit import (
    FleetFacts,
    Judged,
    Lease,
    Memory,
    Monitored,
    View,
    brake,
    find,
    judge,
    view_services,
)
from include.catalogue import Service
from include.facts import Address, Certificate, CloudVm, Entry, Member, VmPhase

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BORN = NOW - timedelta(hours=10)
LONG_DOWN = NOW - timedelta(hours=1)
GRACE = timedelta(minutes=15)
# rollout ids: of the VMs that live, of some that are gone
ROLLOUT, GONE = "k3f7x2q", "q2w4e7r"
WORDS = ("staging", "worker2")  # read like one, and a person chose them
KNOWN = frozenset({f"shop-{GONE}", f"worker-{GONE}"})  # what earlier audits knew to be ours
GROUP = "web_vms"
CONNS = {
    part: f"snowmelt_{part}"
    for part in (
        *("opennebula", "puppet_ca", "puppetdb", "nameserver"),
        *("balancer", "monitoring", "firewall"),
    )
}


def service(name: str = "shop", **changes: Any) -> Service:
    """Return a service of two VMs, with *changes* to its fields."""
    return Service.model_validate(
        {
            "name": name,
            "owner": "web team",
            "description": "For tests.",
            "release": "1.0",
            "replicas": 2,
            "opennebula": {"template": "t", "cpu": 1, "vcpu": 1, "memory_mb": 256},
            "dns": {"zone": "lab.test"},
            "puppet": {"server": "puppet.lab.test", "role": name},
            "package": {"name": f"{name}-app"},
            "monitoring": {"template": "m"},
            "balancer": {"pool": name, "port": 8080},
            **changes,
        }
    )


class Fleet:
    """Lists to break. `shop` has a balancer and a firewall, `worker` has neither."""

    def __init__(self, *, vms_each: int = 2) -> None:
        self.services = [
            service(replicas=vms_each, firewall={"group": GROUP}),
            service("worker", balancer=None, replicas=vms_each),
        ]
        self.vms: list[CloudVm] = []
        self.certificates: dict[str, str] = {}
        self.nodes: set[str] = set()
        self.forward: set[tuple[str, str]] = set()
        self.reverse: set[tuple[str, str]] = set()
        self.hosts: dict[str, Monitored] = {}
        self.members: dict[str, Member] = {}
        self.entries: dict[str, str] = {}  # address -> name
        self.no_groups: dict[str, str] = {}
        self.not_after: dict[str, datetime] = {}  # fqdn -> end of its certificate
        self.leases: list[Lease] = []
        for each in self.services:
            for slot in range(vms_each):
                self.add(each.name, slot)

    def add(self, of: str, slot: int, rollout: str = ROLLOUT) -> str:
        """Add a VM that is whole in every system; return its name."""
        name, address = f"{of}-{rollout}-{slot}", f"198.18.0.{100 + len(self.vms)}"
        self.add_vm(name, of, address=address)
        self.know(name, of, address)
        return name

    def add_vm(
        self, name: str, of: str, *, address: str = "198.18.0.99", phase: VmPhase = "running"
    ) -> int:
        """Add a VM to OpenNebula alone; return its id."""
        self.vms.append(
            CloudVm(
                vm_id=len(self.vms),
                name=name,
                phase=phase,
                state=phase.upper(),
                created_at=BORN,
                addresses=(address,),
                attributes={"SNOWMELT_SERVICE": of} if of else {},
                owner="snowmelt" if of else "bob",
            )
        )
        return len(self.vms) - 1

    def know(self, name: str, of: str, address: str) -> None:
        """Let every other system know a VM."""
        fqdn = f"{name}.lab.test"
        self.certificates[fqdn] = "signed"
        self.nodes.add(fqdn)
        self.forward.add((fqdn, address))
        self.reverse.add((fqdn, address))
        self.hosts[fqdn] = Monitored(name=fqdn, address=address, service=of)
        if of == "shop":
            self.join(name, address)
            self.entries[address] = fqdn

    def join(self, name: str, address: str, state: str = "up", pool: str = "shop") -> None:
        """Put a member into a pool."""
        self.members[name] = Member(
            pool=pool,
            name=name,
            address=address,
            port=8080,
            state=state,  # type: ignore[arg-type]
            since_s=3600,
            connections=0,
            sessions=0,
            requests=0,
            errors=0,
        )

    def lose(self, name: str) -> None:
        """Let a VM vanish from OpenNebula; its member and its host go down. All else stays."""
        self.vms = [vm for vm in self.vms if vm.name != name]
        if member := self.members.get(name):
            self.join(name, member.address, "down")
        host = self.hosts[f"{name}.lab.test"]
        self.hosts[host.name] = replace(host, down_since=LONG_DOWN)

    def turn(self, name: str, phase: VmPhase) -> None:
        """Put a VM into another phase."""
        (vm,) = (vm for vm in self.vms if vm.name == name)
        at = self.vms.index(vm)
        fields = {f: getattr(vm, f) for f in vm.__slots__}
        self.vms[at] = CloudVm(**{**fields, "phase": phase, "state": phase.upper()})

    def facts(self) -> FleetFacts:
        """Return all of it as the hooks would."""
        return FleetFacts(
            vms={CONNS["opennebula"]: self.vms},
            leases={CONNS["opennebula"]: self.leases},
            certificates={
                CONNS["puppet_ca"]: [
                    Certificate(
                        certname=name,
                        state=state,  # type: ignore[arg-type]
                        fingerprint="",
                        not_after=self.not_after.get(name),
                    )
                    for name, state in sorted(self.certificates.items())
                ]
            },
            nodes={CONNS["puppetdb"]: sorted(self.nodes)},
            forward={CONNS["nameserver"]: _addresses(self.forward)},
            reverse={CONNS["nameserver"]: _addresses(self.reverse)},
            hosts={CONNS["monitoring"]: list(self.hosts.values())},
            members={CONNS["balancer"]: list(self.members.values())},
            entries={
                CONNS["firewall"]: [
                    Entry(group=GROUP, address=address, name=name)
                    for address, name in sorted(self.entries.items())
                ]
            },
            no_groups={CONNS["firewall"]: self.no_groups},
        )

    def judged(
        self,
        *,
        seen_for: timedelta = timedelta(hours=1),
        grace: timedelta = GRACE,
        busy: frozenset[str] = frozenset(),
        known: frozenset[str] = KNOWN,
        missed: frozenset[str] = frozenset(),
    ) -> tuple[Judged, ...]:
        """Audit it, where an audit *seen_for* ago had seen the same."""
        findings = find(self.views(known, missed), self.facts())
        first = (NOW - seen_for).timestamp()
        memory = Memory(seen={found.key: first for found in findings})
        return judge(findings, memory, now=NOW, grace=grace, busy=busy)

    def question(self, *, max_down: float = 0.2, busy: frozenset[str] = frozenset()) -> str:
        """Return what the brake asks."""
        views = self.views()
        findings = find(views, self.facts())
        return brake(findings, views, busy=busy, max_down=max_down)

    def views(
        self, known: frozenset[str] = KNOWN, missed: frozenset[str] = frozenset()
    ) -> dict[str, View]:
        """Return it sorted by service."""
        return view_services(self.services, self.facts(), NOW, known, missed=missed)


def _addresses(entries: set[tuple[str, str]]) -> list[Address]:
    return [Address(fqdn=fqdn, address=address, ttl=60) for fqdn, address in sorted(entries)]
