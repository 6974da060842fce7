"""One deployment by a bare script: the hooks of the product, and nothing of Airflow around them.

`python -m tests.bench.bare deploy RELEASE SERVICE` makes the calls that a rollout makes, in its
order and with the same pauses between two looks, one thread per VM. What the DAG takes longer than
this is what Airflow costs. `seed RELEASE SERVICE…` makes the VMs of services that have none, all at
once. It lives with the tests because `lab` does not import the product.
"""

from __future__ import annotations

import json
import math
import secrets
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from include.catalogue import Service, load_service
from include.enrolment import make_token, objection
from include.facts import EVERY_VM, CertificateRequest, Scope, VmSpec
from include.first_boot import first_boot_context
from include.planner import SeenVm
from snowmelt.errors import SnowmeltError
from snowmelt.hooks.balancer import balancer_for
from snowmelt.hooks.monitoring import monitoring_for
from snowmelt.hooks.nameserver import NameServerHook
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.hooks.puppetdb import PuppetDbHook
from snowmelt.identity import retirements
from snowmelt.look import look, look_around, look_at_one, look_at_traffic

PATIENCE_S = 900.0
HOUR = 3600
AT_ONCE = 100  # services


@dataclass(frozen=True)
class Machine:
    """One VM: its name in every system, and what OpenNebula gave it."""

    name: str
    fqdn: str
    vm_id: int
    address: str


class Pool:
    """One look at OpenNebula's pool for all threads, as the product's triggers share theirs."""

    max_age_s = 1.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at = -math.inf
        self._phases: dict[int, str] = {}

    def phase(self, cloud: OpenNebulaHook, vm_id: int) -> str:
        """The phase of a VM; `done` for one that is not there."""
        with self._lock:
            if time.monotonic() - self._at >= self.max_age_s:
                self._phases = {vm.vm_id: vm.phase for vm in cloud.vm_states()}
                self._at = time.monotonic()
            return self._phases.get(vm_id, "done")


POOL = Pool()


class Deployment:
    """One service, blue/green."""

    def __init__(self, service: Service, release: str) -> None:
        self.service, self.release = service, release
        self.rollout = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(7))
        self.cloud = OpenNebulaHook()
        self.ca, self.database, self.names = PuppetCaHook(), PuppetDbHook(), NameServerHook()
        self.monitoring = monitoring_for(service.connections.monitoring)
        self.balancer = balancer_for(service.connections.balancer)
        self.pool = service.balancer
        self.pace = 1.0
        self.scope = EVERY_VM

    def until(self, holds: Callable[[], object], pause: float) -> None:
        """Look every *pause* seconds."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError("the bare script waited in vain")
            time.sleep(pause * self.pace)

    def run(self) -> None:
        """All of it."""
        there = look_around(self.service)
        old = [self._old(vm) for vm in there.vms]
        self.scope = Scope(ids=frozenset(vm.vm_id for vm in there.vms), since=there.next_id)
        canary, *others = range(self.service.replicas)
        with ThreadPoolExecutor(max_workers=max(1, 2 * self.service.replicas)) as pool:
            first = pool.submit(self.bring_up, canary)
            rest = [pool.submit(self.prepare, slot) for slot in others]
            new = [first.result()]
            self.watch(new, self.service.canary.watch.total_seconds())
            new += pool.map(self.join, [each.result() for each in rest])
            time.sleep(self.service.watch.settle.total_seconds() if old else 0)
            list(pool.map(self.drain, old))
            if old:
                self.watch(new, self.service.watch.duration.total_seconds())
            list(pool.map(self.take_down, old))
        look(self.service, self.scope)
        self.database.nodes()

    def seed(self) -> None:
        """Its VMs, all at once, with nobody watching and in no hurry."""
        self.pace = 5.0
        with ThreadPoolExecutor(max_workers=self.service.replicas) as pool:
            list(pool.map(lambda slot: self.until(lambda: self._planted(slot), 1), self._slots))

    @property
    def _slots(self) -> range:
        return range(self.service.replicas)

    def _planted(self, slot: int) -> bool:
        """With hundreds at once some wait in vain for a connection; each call may be repeated."""
        try:
            self._plant(slot)
        except SnowmeltError:
            return False
        return True

    def _plant(self, slot: int) -> None:
        """A VM that takes traffic, without any look at a list: they get long, and nobody counts."""
        made, _ = self.cloud.ensure_vm(self._spec(slot))
        self.until(lambda: self._phase(made.vm_id) == "running", 1)
        fqdn, address = self.service.fqdn(made.name), self.cloud.vm(made.vm_id).addresses[0]
        self.names.ensure_address(fqdn, address, int(self.service.dns.ttl.total_seconds()))
        self.until(lambda: self.ca.certificate(fqdn), 1)
        if self.ca.request(fqdn):
            self._sign(fqdn)
        self.until(lambda: fqdn in self.database.last_reports([fqdn]), 1)
        self._monitor(fqdn, address)
        if self.pool is not None:
            self.balancer.ensure_member(self.pool.pool, made.name, address, self.pool.port)

    def _old(self, vm: SeenVm) -> Machine:
        return Machine(vm.name, vm.fqdn, vm.vm_id, vm.address)

    def bring_up(self, slot: int) -> Machine:
        """A new VM, up to taking traffic."""
        return self.join(self.prepare(slot))

    def prepare(self, slot: int) -> Machine:
        """A new VM, up to where it could take traffic."""
        vm = self.create(slot)
        ttl = int(self.service.dns.ttl.total_seconds())
        self.names.ensure_address(vm.fqdn, vm.address, ttl)
        self.enrol(vm)
        self._monitor(vm.fqdn, vm.address)
        return vm

    def _monitor(self, fqdn: str, address: str) -> None:
        wanted = self.service.monitoring
        if wanted is not None:
            variables = {"snowmelt_service": self.service.name}
            self.monitoring.ensure_host(fqdn, address, wanted.template, variables)
            self.monitoring.check_now(fqdn)
            self.until(lambda: self._is_well([fqdn]), 1)

    def _is_well(self, fqdns: Sequence[str]) -> bool:
        seen = self.monitoring.health(fqdns)
        checks = [check for host in seen for check in (host.host, *host.checks)]
        return len(seen) == len(fqdns) and all(check.state == "ok" for check in checks)

    def create(self, slot: int) -> Machine:
        """Instantiated, released, running."""
        self.cloud.vms_named(self.service.name, self.scope)  # is there room?
        vm, _ = self.cloud.ensure_vm(self._spec(slot))
        self.until(lambda: self._phase(vm.vm_id) == "running", 2)
        made = self.cloud.find(vm.name, self.scope)[0]
        return Machine(vm.name, self.service.fqdn(vm.name), vm.vm_id, made.addresses[0])

    def _phase(self, vm_id: int) -> str:
        return POOL.phase(self.cloud, vm_id)

    def _spec(self, slot: int) -> VmSpec:
        service, name = self.service, f"{self.service.name}-{self.rollout}-{slot}"
        fqdn = service.fqdn(name)
        expires_at = int(time.time()) + HOUR
        context = first_boot_context(
            fqdn=fqdn,
            token=make_token(self.ca.enrolment_key, fqdn, self.rollout, expires_at),
            puppet_server=service.puppet.server,
            environment=service.puppet.environment,
            role=service.puppet.role,
            service=service.name,
            release=self.release,
            slot=slot,
        )
        return VmSpec(
            name=name,
            fqdn=fqdn,
            template=service.opennebula.template,
            service=service.name,
            rollout=self.rollout,
            slot=slot,
            release=self.release,
            cpu=service.opennebula.cpu,
            vcpu=service.opennebula.vcpu,
            memory_mb=service.opennebula.memory_mb,
            networks=service.opennebula.networks,
            context=context,
            scope=self.scope,
        )

    def enrol(self, vm: Machine) -> None:
        """Signed after its request proved who it is, and configured."""
        self.until(lambda: self.ca.certificate(vm.fqdn), 1)
        self._sign(vm.fqdn)
        self.until(lambda: vm.fqdn in self.database.last_reports([vm.fqdn]), 1)

    def _sign(self, fqdn: str) -> None:
        request = self.ca.request(fqdn)
        assert isinstance(request, CertificateRequest)
        now = datetime.now(UTC)
        assert objection(request, fqdn, self.rollout, self.ca.enrolment_key, now) is None
        self.database.last_reports([fqdn])
        ttl_s = int(self.service.puppet.certificate_ttl.total_seconds())
        self.ca.ensure_signed(request, ttl_s)

    def join(self, vm: Machine) -> Machine:
        """Into the pool, and up."""
        if self.pool is not None:
            look_at_one(self.service, vm.name, self.scope)
            self.balancer.ensure_member(self.pool.pool, vm.name, vm.address, self.pool.port)
            self.until(lambda: self._state(vm.name) == "up", 0.5)
        return vm

    def _state(self, name: str) -> str:
        members = self.balancer.members(self.pool.pool) if self.pool else ()
        return next((member.state for member in members if member.name == name), "")

    def watch(self, new: Sequence[Machine], seconds: float) -> None:
        """Look once per second at how the new VMs do."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.pool is not None:
                self.balancer.members(self.pool.pool)
            assert self._is_well([vm.fqdn for vm in new])
            time.sleep(1)

    def drain(self, vm: Machine) -> None:
        """No new sessions, until the old ones have ended."""
        if self.pool is None:
            return
        look_at_traffic(self.service, self.scope)
        pool, idle_s = self.pool.pool, self.service.drain.idle.total_seconds()
        self.balancer.drain(pool, vm.name)

        def empty() -> bool:
            members = self.balancer.members(pool, idle_s)
            return not any(member.sessions for member in members if member.name == vm.name)

        self.until(empty, 1)

    def take_down(self, vm: Machine) -> None:
        """Out of everything."""
        if self.pool is not None:
            look_at_traffic(self.service, self.scope)
            self.balancer.remove_member(self.pool.pool, vm.name, cut=True)
        for _, remove in retirements(self.service, vm.fqdn, vm.address, revoke=False):
            remove()
        self.cloud.terminate(vm.vm_id)
        self.until(lambda: self._phase(vm.vm_id) == "done", 2)


def main() -> None:
    """Do it, and print how long it took."""
    verb, release, *names = sys.argv[1:]
    deployments = [Deployment(load_service(name), release) for name in names]
    if verb == "seed":
        POOL.max_age_s = 10.0  # with 1,000 VMs it is 2 MB
    began = time.monotonic()
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        list(pool.map(Deployment.run if verb == "deploy" else Deployment.seed, deployments))
    taken = {"seconds": time.monotonic() - began, "services": names}
    sys.stdout.write(json.dumps(taken) + "\n")


if __name__ == "__main__":
    main()
