"""The VMs that OpenNebula would have, in memory: names, addresses, and what each does itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from include.catalogue.model import Service
from include.enrolment import make_token, objection
from include.facts import CloudVm
from include.planner import parse_name
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.hooks.puppetdb import PuppetDbHook
from tests.year.agent import Agent

NETWORK = "198.18.0."
TAKEN = {1, 80, 81}  # the lab's services


class AddressPlan:
    """Gives out the lowest free address, as OpenNebula does."""

    def __init__(self) -> None:
        self.free = {number for number in range(2, 255) if number not in TAKEN}

    def take(self) -> str:
        """Return an address that nobody has."""
        number = min(self.free)
        self.free.remove(number)
        return f"{NETWORK}{number}"

    def give_back(self, address: str) -> None:
        """Let somebody else have it."""
        self.free.add(int(address.removeprefix(NETWORK)))


@dataclass(frozen=True)
class Machine:
    """One VM."""

    name: str
    service: str
    fqdn: str
    address: str
    ttl: timedelta
    seen: CloudVm
    agent: Agent = field(repr=False)

    def enrol(self, ca: PuppetCaHook, rollout: str) -> None:
        """Its request, looked at and signed as `enrol_in_puppet` does."""
        now = datetime.now(UTC)
        expires_at = int((now + timedelta(hours=1)).timestamp())
        token = make_token(ca.enrolment_key, self.fqdn, rollout, expires_at)
        self.agent.ask_for_certificate(ca, token)
        request = ca.request(self.fqdn)
        known = ca.certificate(self.fqdn) if request is None else None
        if known and known.state == "signed":
            return  # by an earlier try, whose answer was lost
        if request is None or objection(request, self.fqdn, rollout, ca.enrolment_key, now):
            raise RuntimeError(f"the request of {self.fqdn} is {request}")
        signed, _ = ca.ensure_signed(request, int(self.ttl.total_seconds()))
        if signed.not_after is None or abs(signed.not_after - now - self.ttl) > timedelta(hours=1):
            raise RuntimeError(f"{self.fqdn} is signed until {signed.not_after}, it is {now}")

    def report(self, ca: PuppetCaHook, database: PuppetDbHook) -> None:
        """One agent run. The canary's facts take the agent's own way, by Puppet Server."""
        parts = parse_name(self.name)
        if parts and parts.slot == 0:
            self.agent.send_facts_to_server(ca)
        else:
            self.agent.send(database, "replace_facts")
        self.agent.send(database, "replace_catalog")
        self.agent.send(database, "store_report")


class Vms:
    """All that run now."""

    def __init__(self, addresses: AddressPlan) -> None:
        self.addresses = addresses
        self._vms: dict[str, Machine] = {}
        self._ids = 0
        self._lock = threading.Lock()  # several services are rolled at once

    def __iter__(self) -> Iterator[Machine]:
        return iter(tuple(self._vms.values()))

    def made(self, service: Service, name: str, now: datetime) -> Machine:
        """Return a new VM that runs."""
        with self._lock:
            self._ids += 1
            vm_id, address = self._ids, self.addresses.take()
        fqdn = service.fqdn(name)
        seen = CloudVm(
            vm_id=vm_id,
            name=name,
            phase="running",
            state="ACTIVE/RUNNING",
            created_at=now,
            addresses=(address,),
            attributes={"SNOWMELT_SERVICE": service.name, "SNOWMELT_RELEASE": "1.0"},
            context={"SET_HOSTNAME": fqdn, "SNOWMELT_RELEASE": "1.0"},
        )
        made = Machine(
            name=name,
            service=service.name,
            fqdn=fqdn,
            address=address,
            ttl=service.puppet.certificate_ttl,
            seen=seen,
            agent=Agent(fqdn, address),
        )
        self._vms[name] = made
        return made

    def named(self, name: str) -> Machine:
        """Return the VM of that name."""
        return self._vms[name]

    def forget(self, vm: Machine) -> None:
        """It is gone."""
        with self._lock:
            del self._vms[vm.name]
            self.addresses.give_back(vm.address)

    def seen(self) -> tuple[CloudVm, ...]:
        """Return them as OpenNebula would show them."""
        return tuple(vm.seen for vm in self)
