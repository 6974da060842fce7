"""Whose turn it is today: one rollout for each service that has VMs and no exception."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from include.catalogue.fleet import Fleet
from include.catalogue.model import Service
from include.fleet.calendar import Span, open_spans, shut_by
from include.fleet.plan import Left, RotationPlan, Turn
from include.planner.pairs import at_a_time


def run_id(day: str, service: str, attempt: int = 1) -> str:
    """Return the run of a service's rotation on a day.

    Who starts the day's rotation once more finds the runs that are there, by asking for one
    attempt after the other.
    """
    name = f"rotation__{day}__{service}"
    return f"{name}__{attempt}" if attempt > 1 else name


def plan_turns(
    fleet: Fleet,
    services: Mapping[str, Service],
    *,
    day: date,
    began: datetime,
    in_use: Mapping[str, int],
    spread: bool,
    starts: datetime | None = None,
) -> RotationPlan:
    """Return what the rotation of *day* is to do; *in_use* has the number of each one's VMs.

    *starts* is when a run really starts that *began* hours ago by the calendar: turns count from
    there. The hours of one that has none left are over, and `rotate` says so.
    """
    # a window that opens after the next start is the next run's: this one would keep it waiting
    ends, after = began + fleet.rotation.duration, fleet.next_start(began)
    late = fleet.rotation.spread if spread else timedelta(0)
    left = {each.service: each for each in _exceptions(fleet, services, began)}
    turns: list[Turn] = []
    for name, service in sorted(services.items()):
        if name in left:
            continue
        spans = open_spans(name, service.maintenance, starts or began, ends, late, after)
        spans = spans or open_spans(name, service.maintenance, began, ends, late, after)
        if spans and in_use.get(name):
            turns.append(_turn(service, day, in_use[name], spans))
        else:
            shut = _shut(service, began, min(ends, after))
            left[name] = shut if in_use.get(name) else _empty(service)
    return RotationPlan(
        day=day.isoformat(),
        began=began.timestamp(),
        ends=ends.timestamp(),
        failures=fleet.allowed_failures(len(turns)),
        turns=tuple(sorted(turns, key=lambda turn: (turn.open[0][0], turn.service))),
        left=tuple(left.values()),
    )


def left_out(fleet: Fleet, service: Service, now: datetime, in_use: int) -> Left | None:
    """Return why a service whose turn has come is left alone, None when it is not.

    The plan was made hours ago: an exception or a blackout may be new, and its VMs gone for good.
    """
    if found := _exceptions(fleet, {service.name: service}, now):
        return found[0]
    moment = now + timedelta(seconds=1)
    if not open_spans(service.name, service.maintenance, now, moment, timedelta(0)):
        return _shut(service, now, moment)
    return None if in_use else _empty(service)


def _exceptions(fleet: Fleet, services: Mapping[str, Service], now: datetime) -> list[Left]:
    """Return the exceptions of `fleet.yaml` that hold at *now*."""
    today = fleet.today(now)
    return [
        Left(
            service=each.service,
            kind="exception",
            reason=each.reason,
            owner=each.owner,
            until=each.expires.isoformat(),
        )
        for each in fleet.exceptions
        if today < each.expires and each.service in services
    ]


def _turn(service: Service, day: date, in_use: int, spans: tuple[Span, ...]) -> Turn:
    slots = max(service.replicas, in_use)
    return Turn(
        service=service.name,
        run_id=run_id(day.isoformat(), service.name),
        vms=_width(service, slots),
        slots=slots,
        cloud=service.connections.opennebula,
        open=spans,
    )


def _width(service: Service, slots: int) -> int:
    """Return how many new VMs there are at once beside what stays; one that rolls has few."""
    if service.strategy == "rolling":
        return min(slots, at_a_time(service))
    return slots if service.surge is None else max(1, min(slots, service.surge))


def _empty(service: Service) -> Left:
    """A rollout would bring back to life what somebody retired."""
    return Left(service=service.name, kind="empty", reason="it has no VM", owner=service.owner)


def _shut(service: Service, began: datetime, ends: datetime) -> Left:
    """A blackout that leaves no time of the day is an exception, a window elsewhere is none."""
    found, name, owner = shut_by(service.maintenance, began, ends), service.name, service.owner
    if found is None:
        return Left(service=name, kind="closed", reason="no window opens today", owner=owner)
    until = found.ends.date() + timedelta(days=found.ends.time() > found.ends.min.time())
    return Left(
        service=name, kind="blackout", reason=found.reason, owner=owner, until=until.isoformat()
    )
