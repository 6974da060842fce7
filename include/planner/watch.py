"""Judge the watch: do the VMs stay healthy under traffic while time passes?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from include.catalogue.model import Service
from include.facts import HostHealth, Member
from include.planner.condition import sick_checks
from include.verdict import Verdict, done, failed, pending

# HAProxy counts its seconds whole and a look takes some: less than this is no change of health.
_TOLERANCE_S = 5.0


@dataclass(frozen=True, slots=True)
class _Traffic:
    name: str
    requests: int  # that were answered
    errors: int

    @property
    def tries(self) -> int:
        """What never came to an answer (a reset, a time-out) is an error and no request."""
        return max(self.requests, self.errors)

    @property
    def share(self) -> float:
        return self.errors / self.tries if self.tries else 0.0


def started_anew(before: Sequence[Member], members: Sequence[Member]) -> bool:
    """Return whether the balancer has started anew between two looks at a pool.

    Then its counters have fallen, or the seconds of all where there was nothing to count. By its
    seconds alone a single member proves nothing: it may have been down.
    """
    first = {m.name: m for m in before}
    both = [(first[now.name], now) for now in members if now.name in first]
    if any(then.requests for then, _ in both):
        return any(now.requests < then.requests for then, now in both)
    return len(both) > 1 and all(now.since_s < then.since_s for then, now in both)


def watch_verdict(  # noqa: PLR0913 - the whole look at the world is its input
    service: Service,
    names: Sequence[str],
    *,
    before: Sequence[Member],
    members: Sequence[Member],
    health: Sequence[HostHealth],
    elapsed: timedelta,
    duration: timedelta | None = None,
    anew: timedelta | None = None,
) -> Verdict:
    """Return whether the VMs *names* stay healthy under traffic for *duration*.

    Fails at once when one is not up, has been down since the watch began, has a critical check, or
    answers more than `watch.max_error_share` of at least `watch.min_requests` requests with errors.
    *before* is the pool as it was when the watch began, *elapsed* ago, or when the balancer was
    first seen to have started anew (`started_anew`), *anew* ago.
    """
    if not names:
        return done("there is no VM to watch")
    time = duration or service.watch.duration
    traffic = _since(names, before, members) if service.balancer else ()
    if waking := _waking(names, members, anew):
        return pending(waking)
    since = elapsed if anew is None else anew
    bad = _bad_member(service, names, members, since) or _bad_health(service, names, health)
    if bad or (bad := _bad_traffic(service, traffic)):
        return failed(bad)
    if blind := _unsure(service, names, health):
        return failed(blind) if elapsed >= 2 * time else pending(blind)
    return _by_time(names, traffic, elapsed, time)


def _waking(names: Sequence[str], members: Sequence[Member], anew: timedelta | None) -> str:
    """Return who waits for its first check by a balancer that has just started anew, or nothing."""
    if anew is None or anew.total_seconds() >= _TOLERANCE_S:
        return ""
    starting = [m.name for m in members if m.name in names and m.state == "starting"]
    return f"the balancer has started anew and checks {', '.join(starting)}" if starting else ""


def _bad_member(
    service: Service, names: Sequence[str], members: Sequence[Member], since: timedelta
) -> str:
    if service.balancer is None:
        return ""
    now = {m.name: m for m in members}
    for name in names:
        member = now.get(name)
        if member is None:
            return f"{name} is not in pool {service.balancer.pool} any more"
        if member.state != "up":
            return f"{name} is {member.state} in pool {member.pool}"
        if member.since_s + _TOLERANCE_S < since.total_seconds():
            return f"{name} was down: it is up for {member.since_s:.0f} s only"
    return ""


def _bad_health(service: Service, names: Sequence[str], health: Sequence[HostHealth]) -> str:
    found = {h.name: h for h in health}
    for name in names if service.monitoring else ():
        seen = found.get(service.fqdn(name))
        if seen and (sick := sick_checks(seen)):
            output = next(c.output for c in (seen.host, *seen.checks) if c.name == sick[0])
            return f"{name}: check {sick[0]} is critical: {output}"
    return ""


def _unsure(service: Service, names: Sequence[str], health: Sequence[HostHealth]) -> str:
    """Return for whom monitoring cannot say, or nothing. A reload of it takes seconds, so wait."""
    found = {h.name: h for h in health}
    for name in names if service.monitoring else ():
        seen = found.get(service.fqdn(name))
        if seen is None:
            return f"{name} is not monitored"
        for check in (seen.host, *seen.checks):
            if check.state in ("unknown", "pending"):
                return f"{name}: check {check.name} is {check.state}"
    return ""


def _since(
    names: Sequence[str], before: Sequence[Member], members: Sequence[Member]
) -> tuple[_Traffic, ...]:
    first, now = {m.name: m for m in before}, {m.name: m for m in members}
    return tuple(_gain(first.get(name), now[name]) for name in names if name in now)


def _gain(first: Member | None, now: Member) -> _Traffic:
    # it has joined since, or is counted from zero again
    if first is None or now.requests < first.requests or now.errors < first.errors:
        return _Traffic(now.name, now.requests, now.errors)
    return _Traffic(now.name, now.requests - first.requests, now.errors - first.errors)


def _bad_traffic(service: Service, traffic: Sequence[_Traffic]) -> str:
    """Judge each VM, and all together: many new VMs share the requests, and each has few."""
    allowed = service.watch.max_error_share
    for part in (*traffic, _total(traffic)):
        if part.tries >= service.watch.min_requests and part.share > allowed:
            return (
                f"{part.name} answered {part.errors} of {part.tries} requests with errors"
                f" ({_percent(part.share)}, allowed {_percent(allowed)})"
            )
    return ""


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %"


def _total(traffic: Sequence[_Traffic]) -> _Traffic:
    requests, errors = sum(t.requests for t in traffic), sum(t.errors for t in traffic)
    return _Traffic("the new VMs together", requests, errors)


def _by_time(
    names: Sequence[str], traffic: Sequence[_Traffic], elapsed: timedelta, time: timedelta
) -> Verdict:
    total = _total(traffic)
    served = f", {total.requests} requests with {total.errors} errors" if traffic else ""
    passed, whole = elapsed.total_seconds(), time.total_seconds()
    if elapsed < time:
        return pending(f"{', '.join(names)} healthy for {passed:.0f} of {whole:.0f} s{served}")
    return done(f"{', '.join(names)} healthy for {passed:.0f} s{served}")
