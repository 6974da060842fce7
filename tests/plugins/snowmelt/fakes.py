"""Stand-ins for the hooks: the same methods, over a cloud in memory."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from include.audit import Memory
from include.facts import Address, CheckResult, Entry, HostHealth, Member
from include.inventory import Monitored
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict, Missing
from snowmelt.hooks.balancer import Balancer
from snowmelt.hooks.monitoring import Variables
from tests.plugins.snowmelt.fake_airflow import FakeDagRuns, FakeGoodReleases, FakePlacements
from tests.plugins.snowmelt.fake_fleet import FakeFleetRuns
from tests.plugins.snowmelt.fake_images import FakeImages
from tests.plugins.snowmelt.fake_machines import (
    Fake,
    FakeOpenNebula,
    FakePuppetCa,
    FakePuppetDb,
    verb,
)
from tests.plugins.snowmelt.world import (
    REQUESTS_PER_S,
    BlockingClock,
    FakeHost,
    FakeMember,
    FakeWorld,
)

REVERSE_ZONE = "0.18.198.in-addr.arpa"


class FakeNameServer(Fake):
    @property
    def zones(self) -> tuple[str, ...]:
        return ("lab.test", REVERSE_ZONE)

    @verb
    def ensure_address(self, fqdn: str, address: str, ttl: int) -> Outcome:
        known = self.world.names.get(fqdn)
        if known and known[0] != address:
            raise Conflict(f"{fqdn} is {known[0]}, wanted {address}")
        if known and fqdn not in self.world.unpointed:
            return Outcome.UNCHANGED
        if others := [n for n, (a, _) in self.world.names.items() if a == address and n != fqdn]:
            raise Busy(f"{address} is {others[0]}, wanted {fqdn}")
        self.world.unpointed.discard(fqdn)
        self.world.names[fqdn] = (address, ttl)
        self.tell(f"publish {fqdn}")
        return Outcome.CREATED

    @verb
    def remove_address(self, fqdn: str, address: str | None) -> Outcome:
        known = self.world.names.get(fqdn)
        pointed = {a for a, name in self.world.pointers.items() if name == fqdn}
        wanted = {address} if address else {*pointed, *([known[0]] if known else ())}
        if known and known[0] in wanted:
            del self.world.names[fqdn]
            self.world.unpointed.discard(fqdn)
        elif not wanted & pointed:
            return Outcome.UNCHANGED
        for each in wanted & pointed:
            del self.world.pointers[each]
        self.tell(f"unpublish {fqdn}")
        return Outcome.REMOVED

    @verb
    def lookup(self, fqdn: str) -> tuple[str, ...]:
        known = self.world.names.get(fqdn)
        return (known[0],) if known else ()

    @verb
    def addresses(self, zone: str) -> tuple[Address, ...]:
        if zone == REVERSE_ZONE:
            both = {a: f for f, (a, _) in self.world.names.items() if f not in self.world.unpointed}
            pointers = {**both, **self.world.pointers}
            return tuple(Address(fqdn=f, address=a, ttl=60) for a, f in sorted(pointers.items()))
        return tuple(
            Address(fqdn=fqdn, address=address, ttl=ttl)
            for fqdn, (address, ttl) in self.world.names.items()
            if fqdn.endswith(f".{zone}")
        )


class FakeBalancer(Fake):
    look_every_s = Balancer.look_every_s

    @verb
    def members(self, pool: str, idle_s: float | None = None) -> tuple[Member, ...]:
        found = [self._shown(pool, name, m) for name, m in sorted(self._pool(pool).items())]
        return tuple(m if idle_s is not None else replace(m, sessions=0) for m in found)

    @verb
    def members_of(self, pools: Collection[str]) -> tuple[Member, ...]:
        there = [(pool, self.world.pools.get(pool, {})) for pool in sorted(pools)]
        return tuple(self._shown(pool, n, m) for pool, ms in there for n, m in sorted(ms.items()))

    @verb
    def ensure_member(self, pool: str, name: str, address: str, port: int) -> Outcome:
        known = self._pool(pool).get(name)
        if known and (known.address, known.port) != (address, port):
            raise Conflict(f"{name} in pool {pool} is {known.address}, wanted {address}")
        if known:
            return self._turn(pool, name, "ready", Outcome.CREATED)
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
        # as HAProxy shows it: of a member that fails its check nobody sees that it is drained
        state = "drain" if draining and member.up_at is not None else self._health(member)
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


class FakeFirewall(Fake):
    @verb
    def entries(self, groups: Collection[str]) -> tuple[Entry, ...]:
        return tuple(
            Entry(group=group, address=address, name=name)
            for group in sorted(groups)
            for address, name in sorted(self._group(group).items())
        )

    @verb
    def ensure_entry(self, group: str, name: str, address: str) -> Outcome:
        known = self._group(group).get(address)
        if known == name:
            return Outcome.UNCHANGED
        if known is not None:
            raise (Busy if known else Conflict)(f"{address} is in set {group} for {known}")
        self._group(group)[address] = name
        self.tell(f"let in {name}")
        return Outcome.CREATED

    @verb
    def remove_entries(self, group: str, name: str, address: str | None = None) -> Outcome:
        there = self._group(group)
        doomed = [a for a, n in there.items() if n == name and address in (None, a)]
        for each in doomed:
            del there[each]
        if not doomed:
            return Outcome.UNCHANGED
        self.tell(f"shut out {name}")
        return Outcome.REMOVED

    def _group(self, group: str) -> dict[str, str]:
        if group not in self.world.groups:
            raise Missing(f"no set {group}")
        return self.world.groups[group]


class FakeMonitoring(Fake):
    @verb
    def ensure_host(self, name: str, address: str, template: str, variables: Variables) -> Outcome:
        wanted = FakeHost(address=address, template=template, variables=dict(variables))
        if seen := self.world.hosts.get(name):
            if (seen.address, seen.variables) != (address, wanted.variables):
                raise Conflict(f"monitoring has a host {name} with {seen.address}")
            return Outcome.UNCHANGED
        self.world.hosts[name] = wanted
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
    def inventory(self) -> tuple[Monitored, ...]:
        return tuple(
            Monitored(
                name=n,
                address=h.address,
                service=str(h.variables["snowmelt_service"]),
                down_since=h.down_since or self._gone_since(h),
            )
            for n, h in self.world.hosts.items()
            if "snowmelt_service" in h.variables
        )

    @verb
    def remove_host(self, name: str) -> Outcome:
        if self.world.hosts.pop(name, None) is None:
            return Outcome.UNCHANGED
        self.tell(f"unmonitor {name}")
        return Outcome.REMOVED

    def _gone_since(self, host: FakeHost) -> datetime | None:
        """A host whose VM has ended is down, for an hour already."""
        if any(vm.address == host.address for vm in self.world.vms.values() if vm.phase != "done"):
            return None
        return datetime.fromtimestamp(self.world.clock.now - 3600, UTC)

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


class FakeAuditMemory(Fake):
    @verb
    def read(self) -> Memory:
        return self.world.audits[-1] if self.world.audits else Memory()

    @verb
    def write(self, memory: Memory) -> None:
        self.world.audits.append(memory)


LOOKED_UP = {
    "AuditMemoryHook": FakeAuditMemory,
    "OpenNebulaHook": FakeOpenNebula,
    "OpenNebulaImagesHook": FakeImages,
    "PuppetCaHook": FakePuppetCa,
    "PuppetDbHook": FakePuppetDb,
    "NameServerHook": FakeNameServer,
    "DagRunsHook": FakeDagRuns,
    "FleetRunsHook": FakeFleetRuns,
    "GoodReleasesHook": FakeGoodReleases,
    "PlacementsHook": FakePlacements,
    "balancer_for": FakeBalancer,
    "firewall_for": FakeFirewall,
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
