"""Waits for a load balancer, one look for all VMs of a pool."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from include.catalogue.model import Service
from include.facts import HostHealth, Member
from include.planner import Plan, may_drain, started_anew, too_early, watch_verdict
from include.verdict import Verdict, done, failed, pending
from include.waits import drained_verdict, serving_verdict
from snowmelt.errors import Refused, SnowmeltError
from snowmelt.hooks.balancer import balancer_for
from snowmelt.look import asked, look_at_traffic
from snowmelt.triggers.base import WaitTrigger
from snowmelt.triggers.monitoring import healths
from snowmelt.triggers.snapshot import shared


@dataclass(frozen=True, slots=True)
class _Look:
    members: Sequence[Member]
    next_s: float  # when the balancer likes to be asked again


def _look(conn_id: str, pool: str, idle_s: float | None) -> _Look:
    balancer = balancer_for(conn_id)
    return _Look(balancer.members(pool, idle_s), balancer.look_every_s)


@dataclass(kw_only=True, eq=False, repr=False)
class _BalancerTrigger(WaitTrigger):
    async def look(self, conn_id: str, pool: str, idle_s: float | None = None) -> Sequence[Member]:
        """Return the members of a pool, from one look for all who ask, whatever they wait for.

        The first one tells how often this balancer may be asked, which costs no question more.
        From then on this wait goes by that.
        """
        key = ("members", conn_id, pool, idle_s)
        seen = await shared(key, self.interval / 2, lambda: _look(conn_id, pool, idle_s))
        self.interval = max(self.interval, seen.next_s)
        return seen.members

    async def pool_of(self, service: Service) -> Sequence[Member]:
        """Return the members of a service's pool; none where it has no balancer."""
        if service.balancer is None:
            return ()
        return await self.look(service.connections.balancer, service.balancer.pool)


@dataclass(kw_only=True, eq=False, repr=False)
class _PoolTrigger(_BalancerTrigger):
    conn_id: str
    pool: str
    interval: float = 0.5

    async def members(self) -> Sequence[Member]:
        return await self.look(self.conn_id, self.pool)

    async def member(self, name: str) -> Member | None:
        return next((m for m in await self.members() if m.name == name), None)


@dataclass(kw_only=True, eq=False, repr=False)
class _DrainTrigger(_PoolTrigger):
    idle_s: float  # after so long without a request a session has ended
    interval: float = 1.0  # all sticky sessions may have to be read for it

    async def members(self) -> Sequence[Member]:
        return await self.look(self.conn_id, self.pool, self.idle_s)


@dataclass(kw_only=True, eq=False, repr=False)
class ServingTrigger(_PoolTrigger):
    """Wait until the balancer sends traffic to a VM."""

    name: str

    async def check(self) -> Verdict:
        return serving_verdict(self.name, await self.member(self.name))


@dataclass(kw_only=True, eq=False, repr=False)
class DrainedTrigger(_DrainTrigger):
    """Wait until the sessions on a VM have ended; *on_deadline* says what to do when they don't."""

    name: str
    on_deadline: str
    was_up: bool = field(default=False, init=False)

    async def check(self) -> Verdict:
        verdict = drained_verdict(self.name, await self.member(self.name))
        # the first look may be one that another trigger began before this drain did
        first, self.was_up = not self.was_up, verdict.status == "failed"
        return pending(verdict.detail) if self.was_up and first else verdict

    def expired(self, last: Verdict) -> Verdict:
        if self.on_deadline == "cut":
            return done(f"drain deadline: what is left is cut ({last.detail})")
        return failed(f"drain deadline: {last.detail}")


@dataclass(kw_only=True, eq=False, repr=False)
class AllDrainedTrigger(_DrainTrigger):
    """Wait until no session is left on any of these VMs."""

    names: list[str]

    async def check(self) -> Verdict:
        mine = [m for m in await self.members() if m.name in self.names]
        verdicts = [drained_verdict(m.name, m) for m in mine]
        left = [v.detail for v in verdicts if v.status == "pending"]
        return pending("; ".join(left)) if left else done("no session is left on the new VMs")


@dataclass(kw_only=True, eq=False, repr=False)
class MayDrainTrigger(_BalancerTrigger):
    """Wait until the service can do without an old VM: one look for all VMs of the service.

    At its pool alone for as long as the new VMs have to serve before anything else matters.
    """

    service: dict[str, Any]
    plan: dict[str, Any]
    name: str
    interval: float = 1.0

    async def check(self) -> Verdict:
        service, plan = Service.model_validate(self.service), Plan.from_json(self.plan)
        members = await self.pool_of(service)
        if early := too_early(service, plan, members, self.name):
            return pending(early)
        key = ("look", asked(service), service.name, plan.rollout)
        seen = await shared(key, self.interval / 2, lambda: look_at_traffic(service, plan.scope))
        return may_drain(service, plan, seen, self.name)


@dataclass(kw_only=True, eq=False, repr=False)
class WatchTrigger(_BalancerTrigger):
    """Watch VMs under traffic for `duration_s`, from `began` (epoch seconds) on.

    `before` holds the members as they were when the watch began: errors count from there, and
    downtimes. Both count from `anew_at` on once the balancer has started anew. A triggerer that
    starts anew has forgotten that: what served may then fail the watch, and nothing else pass it.
    """

    service: dict[str, Any]
    names: list[str]
    before: list[dict[str, Any]]
    began: float
    duration_s: float
    interval: float = 1.0
    first: Sequence[Member] = field(default=(), init=False)  # none: as `before`
    last: Sequence[Member] = field(default=(), init=False)
    anew_at: float = field(default=0.0, init=False)

    async def check(self) -> Verdict:
        service = Service.model_validate(self.service)
        members = await self.pool_of(service)
        self._follow(members)
        try:
            health = await self._health(service)
        except Refused:
            raise
        except SnowmeltError:
            # the balancer alone may fail it, but not let it pass
            alone = service.model_copy(update={"monitoring": None})
            verdict = self._judge(alone, members, ())
            if verdict.status == "failed":
                return verdict
            raise
        return self._judge(service, members, health)

    def _follow(self, members: Sequence[Member]) -> None:
        if started_anew(self.last or self._since(), members):
            self.first, self.anew_at = members, time.time()
        self.last = members

    def _since(self) -> Sequence[Member]:
        return self.first or [Member(**member) for member in self.before]

    async def _health(self, service: Service) -> Sequence[HostHealth]:
        if service.monitoring is None:
            return ()
        fqdns = [service.fqdn(name) for name in self.names]
        return await healths(service.connections.monitoring, fqdns, self.interval / 2)

    def _judge(
        self, service: Service, members: Sequence[Member], health: Sequence[HostHealth]
    ) -> Verdict:
        now = time.time()
        return watch_verdict(
            service,
            self.names,
            before=self._since(),
            members=members,
            health=health,
            elapsed=timedelta(seconds=now - self.began),
            duration=timedelta(seconds=self.duration_s),
            anew=timedelta(seconds=now - self.anew_at) if self.anew_at else None,
        )
