"""The watch of new VMs under traffic."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.facts import HostHealth, Member
from include.planner import started_anew, watch_verdict
from include.verdict import Verdict, pending
from tests.include.planner.seen import health, member
from tests.include.planner.services import shop

_A, _B = "shop-bbbbbbb-0", "shop-bbbbbbb-1"
_WELL = (health(f"{_A}.lab.test"), health(f"{_B}.lab.test"))
_BEFORE = (member(_A, requests=10), member(_B, requests=10))


def _watch(
    *members: Member,
    checks: tuple[HostHealth, ...] = _WELL,
    seconds: int = 20,
    before: tuple[Member, ...] = _BEFORE,
    anew: int | None = None,
    **service: Any,
) -> Verdict:
    """Watch two VMs; the catalogue says 30 s, at most 1 % errors, from 100 requests on."""
    return watch_verdict(
        shop(**service),
        (_A, _B),
        before=before,
        members=members,
        health=checks,
        elapsed=timedelta(seconds=seconds),
        anew=None if anew is None else timedelta(seconds=anew),
    )


def _after(requests: int = 0, errors: int = 0) -> tuple[Member, Member]:
    return member(_A, requests=10 + requests, errors=errors), member(_B, requests=10)


def test_it_is_pending_until_its_time_is_over() -> None:
    """With the figures that an operator wants to see meanwhile."""
    assert _watch(*_after(500)).detail == (
        f"{_A}, {_B} healthy for 20 of 30 s, 500 requests with 0 errors"
    )
    assert _watch(*_after(500)).status == "pending"
    assert _watch(*_after(500), seconds=30).status == "done"


@pytest.mark.parametrize(("requests", "errors"), [(0, 5000), (90, 10_000)])
def test_what_never_comes_to_an_answer_counts_too(requests: int, errors: int) -> None:
    """HAProxy counts answers; a reset, a time-out or a 500 that it repeats elsewhere has none."""
    verdict = _watch(*_after(requests, errors))

    assert verdict.status == "failed"
    assert f"{errors} of {errors} requests with errors" in verdict.detail


def test_too_many_errors_fail_it_at_once() -> None:
    """Counted from the begin of the watch, long before its end."""
    verdict = _watch(*_after(503, 12), seconds=5)

    assert verdict.status == "failed"
    assert verdict.detail == (f"{_A} answered 12 of 503 requests with errors (2.4 %, allowed 1 %)")


def test_a_few_requests_prove_nothing() -> None:
    """One error in 50 requests is below the 100 from which a share counts."""
    assert _watch(*_after(50, 1)).status == "pending"


def test_many_vms_with_few_requests_each_are_judged_together() -> None:
    """60 requests each are too few, 120 together are not."""
    both = (member(_A, requests=70, errors=2), member(_B, requests=70, errors=1))

    verdict = _watch(*both)

    assert verdict.detail.startswith("the new VMs together answered 3 of 120 requests")


def test_errors_from_before_the_watch_do_not_count() -> None:
    """It is a fresh start for what served before."""
    before = (member(_A, requests=1000, errors=500), member(_B))
    now = (member(_A, requests=1200, errors=500), member(_B))

    assert _watch(*now, before=before).status == "pending"


def test_a_member_that_falls_fails_it() -> None:
    """Down, drained by somebody, or gone from the pool."""
    for state in ("down", "drain", "maint", "starting"):
        fallen = member(_B, state=state)
        assert _watch(member(_A), fallen).detail == f"{_B} is {state} in pool shop"
    assert _watch(member(_A)).detail == f"{_B} is not in pool shop any more"


def test_a_member_that_fell_between_two_looks_fails_it() -> None:
    """Healthy once, then dead, then healthy is not healthy."""
    flapped = member(_B, since_s=4)

    assert _watch(member(_A), flapped).detail == f"{_B} was down: it is up for 4 s only"


@pytest.mark.parametrize(
    ("then", "now", "anew"),
    [
        ([(600, 9000), (600, 0)], [(1, 20), (1, 0)], True),
        ([(600, 0), (600, 0)], [(1, 0), (1, 0)], True),
        ([(600, 9000), (600, 9000)], [(1, 9020), (1, 9020)], False),
        ([(600, 0), (600, 0)], [(1, 0), (601, 0)], False),
        ([(600, 0)], [(1, 0)], False),
        ([(600, 5), (600, 5)], [(601, 9), (601, 5)], False),
        ([], [(1, 0), (1, 0)], False),
    ],
    ids=[
        "a counter fell",
        "nothing to count, and all seconds fell",
        "all were down at a time",
        "one was down",
        "the only one was down",
        "time went by",
        "all have joined since",
    ],
)
def test_a_balancer_that_starts_anew_counts_from_zero(then: Any, now: Any, anew: bool) -> None:
    """Requests and seconds, of all members at once."""

    def pool(of: Any) -> list[Member]:
        named = zip((_A, _B), of, strict=False)
        return [member(name, since_s=s, requests=r) for name, (s, r) in named]

    assert started_anew(pool(then), pool(now)) is anew


def test_a_balancer_that_started_anew_is_no_fall() -> None:
    """Its seconds are those of its own life; the watch goes on from there."""
    both = (member(_A, since_s=2), member(_B, since_s=2))

    assert _watch(*both).status == "failed"
    assert _watch(*both, anew=2).status == "pending"
    assert _watch(*both, anew=2, seconds=30).status == "done"


def test_a_fall_after_the_balancer_started_anew_fails_it() -> None:
    """One reload forgives no VM for the rest of the watch."""
    flapped = member(_B, since_s=4)

    verdict = _watch(member(_A, since_s=12), flapped, anew=12, before=(member(_A), member(_B)))

    assert verdict.detail == f"{_B} was down: it is up for 4 s only"


def test_the_first_check_of_a_balancer_that_started_anew_is_waited_for() -> None:
    """It takes half a second, and until then nobody knows how they are."""
    unknown = (member(_A, since_s=0, state="starting"), member(_B, since_s=0))

    assert _watch(*unknown, anew=0, seconds=30) == pending(
        f"the balancer has started anew and checks {_A}"
    )
    assert _watch(*unknown, anew=6).detail == f"{_A} is starting in pool shop"


def test_a_critical_check_fails_it_and_is_quoted() -> None:
    """What the check said is the reason."""
    sick = (_WELL[0], health(f"{_B}.lab.test", "critical"))

    verdict = _watch(*_after(), checks=sick)

    assert (verdict.status, verdict.detail) == (
        "failed",
        f"{_B}: check app is critical: it is critical",
    )


def test_a_warning_passes() -> None:
    """It is for people, not for the rollout."""
    warned = (_WELL[0], health(f"{_B}.lab.test", "warning"))

    assert _watch(*_after(), checks=warned, seconds=30).status == "done"


def test_monitoring_that_cannot_say_holds_it_up_and_then_fails_it() -> None:
    """A reload takes seconds; twice the time of the watch is no reload."""
    unsure = (_WELL[0], health(f"{_B}.lab.test", "unknown"))

    assert _watch(*_after(), checks=unsure, seconds=31).status == "pending"
    assert _watch(*_after(), checks=_WELL[:1], seconds=31).detail == f"{_B} is not monitored"
    late = (member(_A, since_s=900), member(_B, since_s=900))
    assert _watch(*late, checks=unsure, seconds=60).status == "failed"


def test_a_service_without_balancer_is_judged_by_monitoring_alone() -> None:
    """A worker has no requests to count."""
    assert _watch(balancer=None, seconds=30).status == "done"
    sick = (_WELL[0], health(f"{_B}.lab.test", "critical"))
    assert _watch(balancer=None, checks=sick).status == "failed"


def test_nobody_to_watch_is_done() -> None:
    """A service that retires."""
    verdict = watch_verdict(shop(), (), before=(), members=(), health=(), elapsed=timedelta(0))

    assert verdict.status == "done"
