"""Stand-ins for the hooks: the same methods, over a cloud in memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, wraps
from typing import ParamSpec, TypeVar

import pytest

from include.facts import (
    Address,
    Certificate,
    CertificateRequest,
    CheckResult,
    CloudVm,
    HostHealth,
    Member,
    PuppetReport,
    VmSpec,
)
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict, Missing
from tests.plugins.snowmelt.world import (
    REQUESTS_PER_S,
    BlockingClock,
    FakeCertificate,
    FakeHost,
    FakeMember,
    FakeVm,
    FakeWorld,
)

P = ParamSpec("P")
R = TypeVar("R")


def verb(method: Callable[P, R]) -> Callable[P, R]:
    """Count the call, be as slow as the test says, fail before or after the effect."""
    name = method.__name__

    @wraps(method)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        fake = args[0]
        assert isinstance(fake, Fake)
        world = fake.world
        world.calls[name] += 1
        world.conn_ids[type(fake).__name__] = fake.conn_id
        time.sleep(world.slow[name])
        world.tick()
        if error := world.fault(name, after=False):
            raise error
        answer = method(*args, **kwargs)
        if error := world.fault(name, after=True):
            raise error
        return answer

    return called


@dataclass
class Fake:
    """What all fakes share: the world, and the Connection that they were asked to use."""

    world: FakeWorld
    conn_id: str = "none"

    def tell(self, what: str) -> None:
        self.world.story.append(what)


class FakeOpenNebula(Fake):
    @verb
    def vms(self, service: str | None = None) -> tuple[CloudVm, ...]:
        there = [v for v in self._pool() if service in (None, v.spec.service)]
        return tuple(self.world.shown(vm, extended=True) for vm in there)

    @verb
    def vm_states(self) -> tuple[CloudVm, ...]:
        return tuple(self.world.shown(vm, extended=False) for vm in self._pool())

    @verb
    def vm(self, vm_id: int) -> CloudVm:
        if vm_id not in self.world.vms:
            raise Missing(f"no VM {vm_id}")
        return self.world.shown(self.world.vms[vm_id], extended=True)

    @verb
    def find(self, name: str) -> tuple[CloudVm, ...]:
        return tuple(self.world.shown(vm, extended=True) for vm in self.world.alive(name))

    @verb
    def ensure_vm(self, spec: VmSpec) -> tuple[CloudVm, Outcome]:
        there = self.world.alive(spec.name)
        if there and there[0].phase == "stopping":
            raise Busy(f"{spec.name} is still being terminated")
        vm = there[0] if there else self.world.add_vm(spec)
        if not there:
            self.tell(f"create {spec.name}")
        self._release(vm)
        outcome = Outcome.UNCHANGED if there else Outcome.CREATED
        return self.world.shown(vm, extended=True), outcome

    @verb
    def release(self, vm_id: int) -> Outcome:
        return self._release(self.world.vms[vm_id])

    @verb
    def terminate(self, vm_id: int, hard: bool = False) -> Outcome:
        vm = self.world.vms.get(vm_id)
        if vm is None or vm.phase == "done":
            return Outcome.UNCHANGED
        if vm.phase in ("pending", "starting"):
            raise Busy(f"VM {vm_id} is {vm.phase}")
        if hard or vm.phase == "failed":
            vm.phase = "done"
        elif vm.phase == "stopping":
            return Outcome.UNCHANGED
        else:
            vm.phase, vm.since = "stopping", self.world.clock.now
        self.tell(f"terminate{' hard' if hard else ''} {vm.spec.name}")
        return Outcome.REMOVED

    def _pool(self) -> list[FakeVm]:
        return [vm for vm in self.world.vms.values() if vm.phase != "done"]

    def _release(self, vm: FakeVm) -> Outcome:
        if vm.phase != "held":
            return Outcome.UNCHANGED
        vm.phase, vm.since = "pending", self.world.clock.now
        return Outcome.CREATED


class FakePuppetCa(Fake):
    @property
    def enrolment_key(self) -> bytes:
        return self.world.enrolment_key

    @verb
    def certificate(self, certname: str) -> Certificate | None:
        return next((c for c in self._all() if c.certname == certname), None)

    @verb
    def request(self, certname: str) -> CertificateRequest | None:
        return self.world.requests.get(certname)

    @verb
    def ensure_signed(self, request: CertificateRequest, ttl_s: int) -> tuple[Certificate, Outcome]:
        known = self.world.certificates.get(request.certname)
        if known and known.key != request.public_key:
            raise Conflict(f"{request.certname} is signed for another key")
        if not known:
            self.world.certificates[request.certname] = FakeCertificate(
                state="signed",
                key=request.public_key,
                signed_at=self.world.clock.now,
                ttl_s=ttl_s,
            )
            self.tell(f"sign {request.certname}")
        self.world.requests.pop(request.certname, None)
        (signed,) = (c for c in self._all() if c.certname == request.certname)
        return signed, Outcome.UNCHANGED if known else Outcome.CREATED

    @verb
    def remove_certificate(self, certname: str, revoke: bool) -> Outcome:
        asked = self.world.requests.pop(certname, None)
        known = self.world.certificates.pop(certname, None)
        if not (asked or known):
            return Outcome.UNCHANGED
        self.tell(f"{'revoke' if revoke else 'delete'} certificate of {certname}")
        return Outcome.REMOVED

    @verb
    def certificates(self) -> tuple[Certificate, ...]:
        return self._all()

    def _all(self) -> tuple[Certificate, ...]:
        asked = [Certificate(certname=n, state="requested", fingerprint="") for n in self._asked()]
        known = [
            Certificate(certname=name, state=c.state, fingerprint=c.key)  # type: ignore[arg-type]
            for name, c in self.world.certificates.items()
        ]
        return (*asked, *known)

    def _asked(self) -> Collection[str]:
        return self.world.requests


class FakePuppetDb(Fake):
    @verb
    def last_reports(
        self, certnames: Collection[str], since: datetime | None = None
    ) -> dict[str, PuppetReport]:
        known = self.world.reports.items()
        return {n: r for n, r in known if n in certnames and (since is None or r.end_time > since)}

    @verb
    def nodes(self) -> tuple[str, ...]:
        return tuple(sorted(self.world.nodes))

    @verb
    def deactivate(self, certname: str) -> Outcome:
        if certname not in self.world.nodes:
            return Outcome.UNCHANGED
        self.world.nodes.discard(certname)
        self.world.reports.pop(certname, None)
        self.tell(f"deactivate {certname}")
        return Outcome.REMOVED


class FakeNameServer(Fake):
    @verb
    def ensure_address(self, fqdn: str, address: str, ttl: int) -> Outcome:
        known = self.world.names.get(fqdn)
        if known and known[0] != address:
            raise Conflict(f"{fqdn} is {known[0]}, wanted {address}")
        if known:
            return Outcome.UNCHANGED
        self.world.names[fqdn] = (address, ttl)
        self.tell(f"publish {fqdn}")
        return Outcome.CREATED

    @verb
    def remove_address(self, fqdn: str, address: str | None) -> Outcome:
        if self.world.names.pop(fqdn, None) is None:
            return Outcome.UNCHANGED
        self.tell(f"unpublish {fqdn}")
        return Outcome.REMOVED

    @verb
    def addresses(self, zone: str) -> tuple[Address, ...]:
        return tuple(
            Address(fqdn=fqdn, address=address, ttl=ttl)
            for fqdn, (address, ttl) in self.world.names.items()
            if fqdn.endswith(f".{zone}")
        )


class FakeBalancer(Fake):
    @verb
    def members(self, pool: str, idle_s: float = 60.0) -> tuple[Member, ...]:
        return tuple(self._shown(pool, name, m) for name, m in sorted(self._pool(pool).items()))

    @verb
    def ensure_member(self, pool: str, name: str, address: str, port: int) -> Outcome:
        known = self._pool(pool).get(name)
        if known and known.address != address:
            raise Conflict(f"{name} in pool {pool} is {known.address}, wanted {address}")
        if known:
            return Outcome.UNCHANGED
        self._pool(pool)[name] = FakeMember(address=address, port=port)
        self.tell(f"join {name}")
        return Outcome.CREATED

    @verb
    def drain(self, pool: str, name: str) -> Outcome:
        return self._turn(pool, name, "drain", Outcome.REMOVED)

    @verb
    def undrain(self, pool: str, name: str) -> Outcome:
        return self._turn(pool, name, "ready", Outcome.CREATED)

    @verb
    def remove_member(self, pool: str, name: str, cut: bool = False) -> Outcome:
        if name not in self._pool(pool):
            return Outcome.UNCHANGED
        if self.world.idle_connections:
            self.world.idle_connections -= 1
            raise Busy(f"{name} has connections")
        del self._pool(pool)[name]
        self.tell(f"leave {name}")
        return Outcome.REMOVED

    def _pool(self, pool: str) -> dict[str, FakeMember]:
        if pool not in self.world.pools:
            raise Missing(f"no pool {pool}")
        return self.world.pools[pool]

    def _turn(self, pool: str, name: str, admin: str, outcome: Outcome) -> Outcome:
        if name not in self._pool(pool):
            raise Missing(f"no member {name}")
        member = self._pool(pool)[name]
        if member.admin == admin:
            return Outcome.UNCHANGED
        member.admin, member.drained_at = admin, self.world.clock.now
        self.tell(f"{'undrain' if admin == 'ready' else admin} {name}")
        return outcome

    def _shown(self, pool: str, name: str, member: FakeMember) -> Member:
        now = self.world.clock.now
        up_for = 0.0 if member.up_at is None else now - member.up_at
        draining = member.admin == "drain"
        busy = not draining or now < member.drained_at + self.world.session_s
        sessions = 3 if member.up_at is not None and busy else 0
        state = "drain" if draining else self._health(member)
        requests = int(up_for * REQUESTS_PER_S)
        return Member(
            pool=pool,
            name=name,
            address=member.address,
            port=member.port,
            state=state,  # type: ignore[arg-type]
            since_s=up_for,
            connections=0,
            sessions=sessions,
            requests=requests,
            errors=int(requests * self._error_share(member)),
        )

    def _health(self, member: FakeMember) -> str:
        if member.up_at is not None:
            return "up"
        return "down" if member.was_up else "starting"

    def _error_share(self, member: FakeMember) -> float:
        vms = [v for v in self.world.vms.values() if v.address == member.address]
        return self.world.guest(vms[-1]).error_share if vms else 0.0


class FakeMonitoring(Fake):
    @verb
    def ensure_host(
        self, name: str, address: str, template: str, variables: Mapping[str, str]
    ) -> Outcome:
        if name in self.world.hosts:
            return Outcome.UNCHANGED
        self.world.hosts[name] = FakeHost(
            address=address, template=template, variables=dict(variables)
        )
        self.tell(f"monitor {name}")
        return Outcome.CREATED

    @verb
    def check_now(self, name: str) -> None:
        self.world.hosts[name].checked = True

    @verb
    def health(self, names: Collection[str]) -> tuple[HostHealth, ...]:
        return tuple(self._shown(n, h) for n, h in self.world.hosts.items() if n in names)

    @verb
    def hosts(self, service: str | None = None) -> tuple[str, ...]:
        ours = {n: h.variables.get("snowmelt_service") for n, h in self.world.hosts.items()}
        return tuple(n for n, s in ours.items() if s and service in (None, s))

    @verb
    def remove_host(self, name: str) -> Outcome:
        if self.world.hosts.pop(name, None) is None:
            return Outcome.UNCHANGED
        self.tell(f"unmonitor {name}")
        return Outcome.REMOVED

    def _shown(self, name: str, host: FakeHost) -> HostHealth:
        well = "ok" if self.world.well(host.address) else "critical"
        state = well if host.checked else "pending"
        results = [
            CheckResult(
                name=check,
                state=state,  # type: ignore[arg-type]
                output="503 from /health" if state == "critical" else "",
                checked_at=datetime.fromtimestamp(self.world.clock.now, UTC),
            )
            for check in ("ping", "app")
        ]
        return HostHealth(name=name, address=host.address, host=results[0], checks=(results[1],))


LOOKED_UP = {
    "OpenNebulaHook": FakeOpenNebula,
    "PuppetCaHook": FakePuppetCa,
    "PuppetDbHook": FakePuppetDb,
    "NameServerHook": FakeNameServer,
    "balancer_for": FakeBalancer,
    "monitoring_for": FakeMonitoring,
}


def install(monkeypatch: pytest.MonkeyPatch, world: FakeWorld) -> None:
    """Put the fakes where operators, triggers and looks find hooks, and the clock beside them."""
    modules = {n: m for n, m in sys.modules.items() if n.startswith("snowmelt.")}
    for name, module in modules.items():
        if name.startswith("snowmelt.hooks"):
            continue
        for looked_up, fake in LOOKED_UP.items():
            if hasattr(module, looked_up):
                monkeypatch.setattr(module, looked_up, partial(fake, world))
        if hasattr(module, "time"):
            monkeypatch.setattr(module, "time", BlockingClock(world.clock))
    monkeypatch.setattr("snowmelt.triggers.base.asyncio", world.clock)
