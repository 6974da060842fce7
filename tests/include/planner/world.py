"""A cloud of plain values: VMs that boot and fall ill by the tick, and traces in five systems.

It knows nothing of plans: a test tells it what to do, and sees it through `look.see` as the
product sees the real systems.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from include.catalogue import Service
from include.facts import (
    Address,
    Certificate,
    CheckResult,
    CloudVm,
    HostHealth,
    Member,
    VmPhase,
)
from include.planner import Facts, Seen, see

TICK_S = 10
_DAWN = datetime(2026, 1, 1, tzinfo=UTC)
_STATES: dict[VmPhase, str] = {
    "pending": "PENDING",
    "starting": "ACTIVE/BOOT",
    "running": "ACTIVE/RUNNING",
    "failed": "ACTIVE/BOOT_FAILURE",
    "unknown": "ACTIVE/UNKNOWN",
    "stopping": "ACTIVE/SHUTDOWN",
}
NEVER_HEALTHY, NEVER_ENROLS, ANSWERS_500 = "1.2", "1.3", "1.4"


@dataclass(frozen=True)
class Vm:
    """One machine."""

    vm_id: int
    name: str
    release: str
    made_at: datetime
    phase: VmPhase = "pending"
    boots: bool = True


@dataclass
class World:
    """All systems at one moment."""

    service: Service
    now: datetime = _DAWN
    vms: dict[int, Vm] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    certificates: dict[str, str] = field(default_factory=dict)
    monitored: set[str] = field(default_factory=set)
    members: dict[str, Member] = field(default_factory=dict)
    drained: set[str] = field(default_factory=set)  # members; unseen while they fail their check
    stuck_sessions: set[str] = field(default_factory=set)  # members whose last session stays
    sick: set[str] = field(default_factory=set)  # VMs whose application does not answer
    unreadable: tuple[str, ...] = ()
    made: int = 0
    boots_fail: bool = False

    def seen(self) -> Seen:
        """Look at the world as the product does."""
        return see(self.service, self.facts())

    def facts(self) -> Facts:
        """Return what the hooks would find."""
        return Facts(
            vms=[self._cloud_vm(vm) for vm in self.vms.values()],
            certificates=[
                Certificate(certname=self.service.fqdn(n), state="signed", fingerprint=f)
                for n, f in self.certificates.items()
            ],
            addresses=[
                Address(fqdn=self.service.fqdn(n), address=a, ttl=60)
                for n, a in self.addresses.items()
            ],
            health=[self._health(name) for name in sorted(self.monitored)],
            members=list(self.members.values()),
            unreadable=self.unreadable,
        )

    def traces(self) -> set[str]:
        """Return every name that any system knows."""
        names = {vm.name for vm in self.vms.values()}
        return names | {*self.addresses} | {*self.certificates} | self.monitored | {*self.members}

    def named(self, name: str) -> Vm | None:
        """Return the VM of that name."""
        return next((vm for vm in self.vms.values() if vm.name == name), None)

    # What a rollout does. Every act may be repeated.

    def create(self, name: str, release: str) -> None:
        """Make a VM unless one of that name exists."""
        if self.named(name) is None:
            self.made += 1
            vm = Vm(self.made, name, release, self.now, boots=not self.boots_fail)
            self.vms[vm.vm_id] = vm

    def publish(self, name: str) -> None:
        """Put a running VM into DNS."""
        if (vm := self.named(name)) and vm.phase == "running":
            self.addresses[name] = _address(vm)

    def enrol(self, name: str) -> None:
        """Sign the certificate of a VM; Puppet then installs the release, if it can."""
        if (vm := self.named(name)) and vm.phase == "running" and vm.release != NEVER_ENROLS:
            self.certificates.setdefault(name, f"{name}#{vm.vm_id}")

    def monitor(self, name: str) -> None:
        """Take a VM into monitoring."""
        self.monitored.add(name)

    def join(self, name: str) -> None:
        """Take a VM into the pool, or give it new sessions again."""
        vm, member = self.named(name), self.members.get(name)
        self.drained.discard(name)
        if vm is None or (member and member.state != "drain"):
            return
        fresh = member or Member(
            pool="shop",
            name=name,
            address=_address(vm),
            port=8080,
            state="starting",
            since_s=0,
            connections=0,
            sessions=0,
            requests=0,
            errors=0,
        )
        self.members[name] = replace(fresh, state="up" if member else "starting")

    def drain(self, name: str) -> None:
        """Give a member no new sessions."""
        if member := self.members.get(name):
            self.drained.add(name)
            well = member.state in ("up", "drain")
            self.members[name] = replace(member, state="drain" if well else "down")

    def leave(self, name: str) -> None:
        """Take a VM out of the pool."""
        self.members.pop(name, None)
        self.drained.discard(name)

    def changes(self, verb: str, name: str) -> bool:
        """Return whether an act would change anything; only who has the admin's view can say."""
        member, drained = self.members.get(name), name in self.drained
        if verb == "undrain":
            return drained
        return verb != "drain" or (member is not None and not drained)

    def unmonitor(self, name: str) -> None:
        """Take a VM out of monitoring."""
        self.monitored.discard(name)

    def forget(self, name: str) -> None:
        """Revoke the certificate and remove the names."""
        self.certificates.pop(name, None)
        self.addresses.pop(name, None)

    def terminate(self, vm_id: int) -> None:
        """End a VM; it is gone at the next tick."""
        if vm_id in self.vms:
            self.vms[vm_id] = replace(self.vms[vm_id], phase="stopping")

    # What happens by itself.

    def tick(self) -> None:
        """Let ten seconds pass."""
        self.now += timedelta(seconds=TICK_S)
        self.vms = {i: _older(vm) for i, vm in self.vms.items() if vm.phase != "stopping"}
        self.members = {n: self._served(m) for n, m in self.members.items()}

    def break_vm(self, vm_id: int, phase: VmPhase) -> None:
        """Let a VM fail, or its host fall silent."""
        self.vms[vm_id] = replace(self.vms[vm_id], phase=phase)

    def heal(self) -> None:
        """End all faults that a VM can come back from."""
        self.boots_fail, self.unreadable = False, ()
        self.stuck_sessions.clear()
        self.sick.clear()
        self.vms = {
            i: replace(vm, phase="running") if vm.phase == "unknown" else vm
            for i, vm in self.vms.items()
        }

    def _is_well(self, vm: Vm | None) -> bool:
        if vm is None or vm.phase != "running":
            return False
        return vm.release != NEVER_HEALTHY and vm.name not in self.sick

    def _served(self, member: Member) -> Member:
        vm = self.named(member.name)
        if not self._is_well(vm):
            return replace(member, state="down", since_s=0, sessions=0)
        if member.name in self.drained:
            left = max(member.sessions - 2, member.name in self.stuck_sessions)
            since_s = member.since_s + TICK_S
            return replace(member, state="drain", sessions=int(left), since_s=since_s)
        if member.state != "up":
            return replace(member, state="up", since_s=1)
        errors = 4 if vm and vm.release == ANSWERS_500 else 0
        return replace(
            member,
            sessions=3,
            since_s=member.since_s + TICK_S,
            requests=member.requests + 200,
            errors=member.errors + errors,
        )

    def _cloud_vm(self, vm: Vm) -> CloudVm:
        return CloudVm(
            vm_id=vm.vm_id,
            name=vm.name,
            phase=vm.phase,
            state=_STATES[vm.phase],
            created_at=vm.made_at,
            addresses=(_address(vm),),
            attributes={"SNOWMELT_SERVICE": self.service.name, "SNOWMELT_RELEASE": vm.release},
        )

    def _health(self, name: str) -> HostHealth:
        vm = self.named(name)
        well = self._is_well(vm)
        check = CheckResult(
            name="app",
            state="ok" if well else "critical",
            output="HTTP 200" if well else "connection refused",
            checked_at=self.now,
        )
        return HostHealth(
            name=self.service.fqdn(name),
            address="",
            host=replace(check, name="ping", state="ok"),
            checks=(check,),
        )


def _address(vm: Vm) -> str:
    return f"198.18.{vm.vm_id // 250}.{vm.vm_id % 250 + 1}"


def _older(vm: Vm) -> Vm:
    if vm.phase == "pending":
        return replace(vm, phase="starting")
    if vm.phase == "starting":
        return replace(vm, phase="running" if vm.boots else "failed")
    return vm
