"""Whose turn it is today: one rollout for each service that has VMs and no exception."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal, Self

from include.catalogue.fleet import Fleet
from include.catalogue.model import Service
from include.fleet.calendar import Span, open_spans


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One service's rotation: a run of its own DAG, by a name that the day and it derive."""

    service: str
    run_id: str
    vms: int  # that it makes beside the old ones
    slots: int  # that it replaces
    cloud: str  # the Connection of its OpenNebula
    open: tuple[Span, ...]

    @property
    def dag_id(self) -> str:
        """The DAG of a deployment, which a rotation is too."""
        return f"rollout_{self.service}"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return what `asdict` and a trip through JSON made of a turn."""
        return cls(**{**data, "open": tuple((a, b) for a, b in data["open"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """A service that is not rotated today, and why. `until` is the first day when it is again."""

    service: str
    kind: Literal["exception", "blackout", "empty", "closed"]
    reason: str
    owner: str
    until: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RotationPlan:
    """What one day's rotation is to do."""

    day: str
    began: float  # epoch seconds
    ends: float  # after this nothing starts
    failures: int  # at which nothing more is started
    at_once: int = 0  # services under way at once; 0: as many as the fleet's budget says
    turns: tuple[Turn, ...] = ()
    others: tuple[Turn, ...] = ()  # those that this run was not asked for
    left: tuple[Left, ...] = ()

    def only(self, asked: Collection[str], fleet: Fleet) -> Self:
        """Return the plan of a run that was asked for these services; for none: for all."""
        if not asked:
            return self
        mine = tuple(turn for turn in self.turns if turn.service in asked)
        others = tuple(turn for turn in self.turns if turn.service not in asked)
        failures = fleet.allowed_failures(len(mine))
        return replace(self, turns=mine, others=others, failures=failures)

    def limited(self, *, failures: int | None, at_once: int | None) -> Self:
        """Return the plan with the limits that somebody asked for in place of the fleet's."""
        return replace(self, failures=failures or self.failures, at_once=at_once or self.at_once)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the plan that `to_json` made *data* of."""
        turns, others = (tuple(Turn.from_json(t) for t in data[k]) for k in ("turns", "others"))
        left = tuple(Left(**each) for each in data["left"])
        return cls(**{**data, "turns": turns, "others": others, "left": left})


def run_id(day: str, service: str, attempt: int = 1) -> str:
    """Return the run of a service's rotation on a day.

    Who starts the day's rotation once more finds the runs that are there, by asking for one
    attempt after the other.
    """
    name = f"rotation__{day}__{service}"
    return f"{name}__{attempt}" if attempt > 1 else name


def exceptions_on(fleet: Fleet, services: Mapping[str, Service], now: datetime) -> tuple[Left, ...]:
    """Return the exceptions that hold at *now*: those of `fleet.yaml`, and blackouts."""
    today = fleet.day(now)
    named = [
        Left(
            service=e.service,
            kind="exception",
            reason=e.reason,
            owner=e.owner,
            until=e.expires.isoformat(),
        )
        for e in fleet.exceptions
        if today < e.expires and e.service in services
    ]
    known = {left.service for left in named}
    dark = (_blackout(service, now) for name, service in services.items() if name not in known)
    return (*named, *(left for left in dark if left))


def _blackout(service: Service, now: datetime) -> Left | None:
    found = service.maintenance.blackout_at(now)
    if found is None:
        return None
    until = found.ends.date() + timedelta(days=found.ends.time() > found.ends.min.time())
    return Left(
        service=service.name,
        kind="blackout",
        reason=found.reason,
        owner=service.owner,
        until=until.isoformat(),
    )


def plan_turns(
    fleet: Fleet,
    services: Mapping[str, Service],
    *,
    day: date,
    began: datetime,
    in_use: Mapping[str, int],
    spread: bool,
) -> RotationPlan:
    """Return what the rotation of *day* is to do; *in_use* has the number of each one's VMs."""
    ends = began + fleet.rotation.duration
    excepted = exceptions_on(fleet, services, began)
    out = {left.service for left in excepted}
    asked = [s for n, s in sorted(services.items()) if n not in out]
    late = fleet.rotation.spread if spread else timedelta(0)
    turns = [
        Turn(
            service=service.name,
            run_id=run_id(day.isoformat(), service.name),
            vms=_beside(service, in_use[service.name]),
            slots=max(service.replicas, in_use[service.name]),
            cloud=service.connections.opennebula,
            open=open_spans(service.name, service.maintenance, began, ends, late),
        )
        for service in asked
        if in_use.get(service.name)
    ]
    return RotationPlan(
        day=day.isoformat(),
        began=began.timestamp(),
        ends=ends.timestamp(),
        failures=fleet.allowed_failures(len(turns)),
        turns=tuple(sorted((t for t in turns if t.open), key=lambda t: (t.open[0][0], t.service))),
        left=(*excepted, *_empty(asked, in_use), *_closed(asked, turns)),
    )


def _beside(service: Service, in_use: int) -> int:
    slots = max(service.replicas, in_use)
    return slots if service.surge is None else max(1, min(slots, service.surge))


def _empty(asked: Sequence[Service], in_use: Mapping[str, int]) -> list[Left]:
    """A rollout would bring back to life what somebody retired."""
    return [
        Left(service=s.name, kind="empty", reason="it has no VM", owner=s.owner)
        for s in asked
        if not in_use.get(s.name)
    ]


def _closed(asked: Sequence[Service], turns: Sequence[Turn]) -> list[Left]:
    shut = {turn.service for turn in turns if not turn.open}
    return [
        Left(service=s.name, kind="closed", reason="no window opens today", owner=s.owner)
        for s in asked
        if s.name in shut
    ]
