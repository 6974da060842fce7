"""Stand-ins for the hooks of what VMs are made by: OpenNebula, the Puppet CA, PuppetDB."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from include.facts import (
    EVERY_VM,
    Certificate,
    CertificateRequest,
    CloudVm,
    PuppetReport,
    Scope,
    VmSpec,
)
from include.inventory import Lease
from include.state import RevocationList, StaleData
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict, Missing
from snowmelt.hooks.one_records import service_of
from tests.plugins.snowmelt.world import FakeCertificate, FakeVm, FakeWorld

P = ParamSpec("P")
R = TypeVar("R")


def on_the_loop() -> bool:
    """Return whether this thread runs an event loop: hooks block, so they belong elsewhere."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def verb(method: Callable[P, R]) -> Callable[P, R]:
    """Count the call, be as slow as the test says, fail before or after the effect."""
    name = method.__name__

    @wraps(method)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        fake = args[0]
        assert isinstance(fake, Fake)
        assert not on_the_loop(), f"{name} was called on the event loop: it blocks all triggers"
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
        there = (self.world.shown(vm, extended=True) for vm in self._pool())
        return tuple(vm for vm in there if service in (None, service_of(vm)))

    @verb
    def vms_named(self, service: str, scope: Scope = EVERY_VM) -> tuple[CloudVm, ...]:
        there = (self.world.shown(vm, extended=True) for vm in self._pool() if _in(scope, vm))
        return tuple(vm for vm in there if service_of(vm) == service)

    @verb
    def next_id(self) -> int:
        return max((vm.vm_id for vm in self.world.vms.values()), default=-1) + 1

    @verb
    def vm_states(self, since: int = 0, until: int = -1) -> tuple[CloudVm, ...]:
        there = (v for v in self._pool() if v.vm_id >= since and (until == -1 or v.vm_id <= until))
        return tuple(self.world.shown(vm, extended=False) for vm in there)

    @verb
    def vm(self, vm_id: int) -> CloudVm:
        if vm_id not in self.world.vms:
            raise Missing(f"no VM {vm_id}")
        return self.world.shown(self.world.vms[vm_id], extended=True)

    @verb
    def held_leases(self) -> tuple[Lease, ...]:
        return tuple(self.world.leases)

    @verb
    def find(self, name: str, scope: Scope = EVERY_VM) -> tuple[CloudVm, ...]:
        there = (vm for vm in self.world.alive(name) if _in(scope, vm))
        return tuple(self.world.shown(vm, extended=True) for vm in there)

    @verb
    def ensure_vm(self, spec: VmSpec) -> tuple[CloudVm, Outcome]:
        there = [vm for vm in self.world.alive(spec.name) if _in(spec.scope, vm)]
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


def _in(scope: Scope, vm: FakeVm) -> bool:
    """Return whether OpenNebula would be asked for it: who asks for too little finds too little."""
    return vm.vm_id in scope.ids or vm.vm_id >= scope.since


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

    @verb
    def revocation_lists(self) -> tuple[RevocationList, ...]:
        return self.world.revocation_lists

    def _all(self) -> tuple[Certificate, ...]:
        asked = [Certificate(certname=n, state="requested", fingerprint="") for n in self._asked()]
        known = [
            Certificate(
                certname=name,
                state=c.state,  # type: ignore[arg-type]
                fingerprint=c.key,
                not_after=datetime.fromtimestamp(c.signed_at + c.ttl_s, UTC),
            )
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
    def facts(
        self, certnames: Collection[str], names: Collection[str]
    ) -> dict[str, dict[str, Any]]:
        known = {n: f for n, f in self.world.facts.items() if n in certnames}
        return {n: {k: v for k, v in f.items() if k in names} for n, f in known.items()}

    @verb
    def nodes(self) -> tuple[str, ...]:
        return tuple(sorted(self.world.nodes))

    @verb
    def stale(self, before: datetime) -> StaleData:
        return self.world.stale

    @verb
    def deactivate(self, certname: str) -> Outcome:
        if certname not in self.world.nodes:
            return Outcome.UNCHANGED
        self.world.nodes.discard(certname)  # its reports stay, as in a real one
        self.tell(f"deactivate {certname}")
        return Outcome.REMOVED
