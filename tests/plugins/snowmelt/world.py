"""A cloud in memory: VMs that boot, ask for certificates, get checked and take traffic.

Time passes only when somebody sleeps on its clock, so an hour of waiting costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from include.audit import Memory
from include.facts import CertificateRequest, CloudVm, PuppetReport, VmPhase, VmSpec
from include.image_facts import CloudImage, CloudTemplate, Disk
from include.inventory import Lease
from include.last_good import Good
from include.state import RevocationList, StaleData

ROLE_OID = "1.3.6.1.4.1.34380.1.1.13"
# seconds after which a VM, once released, is placed and runs
PLACED_S, RUNS_S = 1.0, 3.0
REQUESTS_PER_S = 50
# seconds after its signature at which the first boot ends a run, as long as the last one failed
RUNS_AT_S = (2.0, 9.0, 26.0)
_WORDS = {"held": "HOLD", "pending": "PENDING", "starting": "ACTIVE/BOOT", "failed": "BOOT_FAILURE"}
_MORE_WORDS = {"running": "ACTIVE/RUNNING", "stopping": "ACTIVE/SHUTDOWN", "done": "DONE"}


class Clock:
    """Stands in for `time`, and for `asyncio` where that only sleeps."""

    def __init__(self) -> None:
        self.now = time.time()
        self._wakes: list[float] = []

    def time(self) -> float:
        return self.now

    monotonic = time

    def pass_s(self, seconds: float) -> None:
        self.now += seconds

    async def sleep(self, seconds: float) -> None:
        """Wake the earliest sleeper first, as a real loop would."""
        wake = self.now + seconds
        self._wakes.append(wake)
        while self.now < wake:
            await asyncio.sleep(0)
            if wake == min(self._wakes):
                self.now = wake
        self._wakes.remove(wake)


class BlockingClock:
    """The same clock for code that blocks."""

    def __init__(self, clock: Clock) -> None:
        self.time, self.monotonic, self.sleep = clock.time, clock.monotonic, clock.pass_s


@dataclass(kw_only=True)
class Guest:
    """How the inside of a VM behaves."""

    boots: bool = True
    asks: bool = True
    token: Callable[[str], str | None] = field(default=lambda given: given)
    alt_names: tuple[str, ...] = ()
    puppet: str = "changed"
    failures: tuple[str, ...] = ()
    healthy: bool = True
    error_share: float = 0.0
    listens: bool = True  # shuts down when it is asked to


@dataclass(kw_only=True)
class FakeVm:
    """One VM, from the outside and the inside."""

    vm_id: int
    spec: VmSpec
    address: str
    created_at: float
    phase: VmPhase = "held"
    since: float = 0.0
    asked: bool = False
    reported: bool = False
    runs: int = 0  # of Puppet
    disks: tuple[Disk, ...] = ()

    @property
    def key(self) -> str:
        return f"key-of-{self.vm_id}"


@dataclass(kw_only=True)
class FakeCertificate:
    """A signed or revoked certificate."""

    state: str
    key: str
    signed_at: float
    ttl_s: int


@dataclass(kw_only=True)
class FakeHost:
    """A host in monitoring."""

    address: str
    template: str
    variables: Mapping[str, str | int | float | bool]
    checked: bool = False
    down_since: datetime | None = None


@dataclass(kw_only=True)
class FakeMember:
    """A member of a pool."""

    address: str
    port: int
    admin: str = "ready"
    drained_at: float = 0.0
    up_at: float | None = None  # since when its health check passes
    was_up: bool = False


@dataclass(kw_only=True)
class FakeRun:
    """A run of another DAG."""

    conf: dict[str, Any]
    state: str = "running"
    tasks: dict[str, str | None] = field(default_factory=dict)
    pushed: dict[tuple[str, int, str], Any] = field(default_factory=dict)
    ends_s: float | None = None  # after so many seconds it succeeds
    began: float = 0.0


@dataclass
class _Fault:
    error: Exception
    times: int
    after: bool


class FakeWorld:
    """All systems of a site. Tests read and write the attributes; the fakes do it by verbs."""

    enrolment_key = b"a key of thirty-two bytes, really"
    failing: Mapping[str, str] = MappingProxyType({})  # DAGs whose new runs end badly, and why
    members_checked = True  # the balancer's own checks get through to its members
    idle_connections = 0  # that the balancer still holds when a member is taken out
    dags_after = 0.0  # until then Airflow knows no DAG
    new_runs_end_s: float | None = None
    session_s = 5.0  # how long a session goes on after its VM drains

    def __init__(self) -> None:  # noqa: PLR0915  # all that a world has, a line each
        self.clock = Clock()
        self.vms: dict[int, FakeVm] = {}
        self.requests: dict[str, CertificateRequest] = {}
        self.certificates: dict[str, FakeCertificate] = {}
        self.reports: dict[str, PuppetReport] = {}
        self.nodes: set[str] = set()
        self.facts: dict[str, dict[str, Any]] = {}
        self.names: dict[str, tuple[str, int]] = {}  # published both ways
        self.unpointed: set[str] = set()  # names without their pointer back
        self.pointers: dict[str, str] = {}  # address -> name, beside those
        self.leases: list[Lease] = []
        self.audits: list[Memory] = []
        self.hosts: dict[str, FakeHost] = {}
        self.runs: dict[tuple[str, str], FakeRun] = {}
        self.good: dict[str, list[Good]] = {}
        self.placed: dict[str, dict[str, str]] = {}
        self.pools: dict[str, dict[str, FakeMember]] = {"shop": {}}
        self.groups: dict[str, dict[str, str]] = {"web_vms": {}}  # of a firewall: address -> name
        self.images: dict[int, CloudImage] = {}
        self.templates: dict[int, CloudTemplate] = {}
        self.revocation_lists: tuple[RevocationList, ...] = ()
        self.stale = StaleData(nodes=0, reports=0)
        self.bad_images: set[str] = set()  # by name: their copy ends in ERROR
        self.stuck_images: set[str] = set()  # by name: their removal ends in ERROR
        self.removed_at: dict[int, float] = {}  # image id -> when its end was asked for
        self.calls: Counter[str] = Counter()
        self.conn_ids: dict[str, str] = {}
        self.story: list[str] = []  # each change, in order: "drain shop-aaaaaaa-0"
        self.slow: dict[str, float] = defaultdict(float)
        self.guests: dict[str, Guest] = defaultdict(Guest)  # by release
        self._faults: dict[str, list[_Fault]] = defaultdict(list)

    # what tests arrange

    def fail(self, verb: str, error: Exception, times: int = 1) -> None:
        """Let *verb* refuse, before it does anything."""
        self._faults[verb].append(_Fault(error, times, after=False))

    def lose_answer(self, verb: str, error: Exception) -> None:
        """Let *verb* work, and its answer get lost."""
        self._faults[verb].append(_Fault(error, 1, after=True))

    def add_vm(self, spec: VmSpec, phase: VmPhase = "held") -> FakeVm:
        vm_id = len(self.vms)
        vm = FakeVm(
            vm_id=vm_id,
            spec=spec,
            address=f"198.18.0.{100 + vm_id}",
            created_at=self.clock.now,
            phase=phase,
            since=self.clock.now,
            disks=spec.disks or self._disks(spec.template),
        )
        self.vms[vm_id] = vm
        return vm

    def _disks(self, template: str) -> tuple[Disk, ...]:
        return next((t.disks for t in self.templates.values() if t.name == template), ())

    def everything(self) -> dict[str, Any]:
        """Return a copy of all that a rollout could change."""
        kept = ("vms", "requests", "certificates", "nodes", "names", "hosts", "pools", "story")
        more = ("groups", "images", "templates")
        return deepcopy({key: getattr(self, key) for key in (*kept, *more)})

    # what the fakes ask

    def fault(self, verb: str, *, after: bool) -> Exception | None:
        for fault in self._faults[verb]:
            if fault.times and fault.after == after:
                fault.times -= 1
                return fault.error
        return None

    def alive(self, name: str) -> list[FakeVm]:
        return [vm for vm in self.vms.values() if vm.spec.name == name and vm.phase != "done"]

    def guest(self, vm: FakeVm) -> Guest:
        return self.guests[vm.spec.release]

    def well(self, address: str) -> bool:
        """Whether the app at *address* answers its health check."""
        return any(
            vm.phase == "running" and vm.reported and self.guest(vm).healthy
            for vm in self.vms.values()
            if vm.address == address
        )

    def tick(self) -> None:
        """Let everything happen that is due by now."""
        for vm in self.vms.values():
            self._boot(vm)
            if vm.phase == "running":
                self._ask(vm)
                self._report(vm)
        for pool in self.pools.values():
            for member in pool.values():
                self._check(member)
        for run in self.runs.values():
            if run.ends_s is not None and self.clock.now >= run.began + run.ends_s:
                run.state = "success"

    def _check(self, member: FakeMember) -> None:
        if not self.members_checked or not self.well(member.address):
            member.up_at = None
        elif member.up_at is None:
            member.up_at, member.was_up = self.clock.now, True

    def _boot(self, vm: FakeVm) -> None:
        age = self.clock.now - vm.since
        if vm.phase == "pending" and age >= PLACED_S:
            vm.phase = "starting"
        if vm.phase == "starting" and age >= RUNS_S:
            vm.phase = "running" if self.guest(vm).boots else "failed"
        if vm.phase == "stopping" and age >= 2 and self.guest(vm).listens:
            vm.phase = "done"

    def _ask(self, vm: FakeVm) -> None:
        guest, fqdn = self.guest(vm), vm.spec.fqdn
        if vm.asked or not guest.asks or fqdn in self.certificates:
            return
        vm.asked = True
        self.requests[fqdn] = CertificateRequest(
            certname=fqdn,
            common_name=fqdn,
            alt_names=guest.alt_names,
            token=guest.token(vm.spec.context.get("SNOWMELT_TOKEN", "")),
            extensions=(ROLE_OID,),
            public_key=vm.key,
        )

    def _report(self, vm: FakeVm) -> None:
        fqdn, guest = vm.spec.fqdn, self.guest(vm)
        certificate = self.certificates.get(fqdn)
        mine = certificate and certificate.key == vm.key and certificate.state == "signed"
        if vm.reported or not mine or not certificate:
            return
        if vm.runs >= sum(self.clock.now >= certificate.signed_at + s for s in RUNS_AT_S):
            return
        vm.runs += 1
        vm.reported = guest.puppet != "failed"
        self.nodes.add(fqdn)
        self.reports[fqdn] = PuppetReport(
            certname=fqdn,
            status=guest.puppet,  # type: ignore[arg-type]
            noop=False,
            environment="production",
            end_time=datetime.fromtimestamp(self.clock.now, UTC),
            report_hash=f"{vm.runs - 1}123456789abcdef",
            transaction_uuid="1",
            failures=guest.failures,
        )

    def shown(self, vm: FakeVm, *, extended: bool) -> CloudVm:
        """Return a VM as OpenNebula shows it."""
        spec, words = vm.spec, {**_WORDS, **_MORE_WORDS}
        attributes = {"SNOWMELT_SERVICE": spec.service, "SNOWMELT_RELEASE": spec.release}
        return CloudVm(
            vm_id=vm.vm_id,
            name=spec.name,
            phase=vm.phase,
            state=words.get(vm.phase, vm.phase.upper()),
            created_at=datetime.fromtimestamp(vm.created_at, UTC),
            addresses=(vm.address,),
            message="no such image" if vm.phase == "failed" else "",
            attributes=attributes if extended else {},
            context={**spec.context, "SET_HOSTNAME": spec.fqdn} if extended else {},
            owner="oneadmin",
        )


def age(world: FakeWorld, by: timedelta) -> None:
    """Make everything that exists that much older."""
    for vm in world.vms.values():
        vm.created_at -= by.total_seconds()
        vm.since -= by.total_seconds()
    for pool in world.pools.values():
        for member in pool.values():
            member.up_at = member.up_at and member.up_at - by.total_seconds()
