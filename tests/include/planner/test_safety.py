"""Limits: what one plan may destroy, with the numbers in the refusal."""

from __future__ import annotations

import pytest

from include.planner import UnsafePlan
from tests.include.planner.seen import planned, seen, vm
from tests.include.planner.services import shop


def test_a_plan_that_retires_too_many_is_refused_with_the_numbers() -> None:
    """A rotation counts too: its VMs go all the same."""
    service = shop(limits={"retire": 2})

    with pytest.raises(UnsafePlan, match=r"retires 3 VMs, limits\.retire is 2.* or raise it"):
        planned(service, seen(vm(0), vm(1), vm(2)))


def test_a_service_that_would_shrink_by_more_than_half_is_refused() -> None:
    """4 to 1 is 75 %."""
    four = seen(*(vm(slot) for slot in range(4)))

    with pytest.raises(UnsafePlan, match=r"3 of 4 serving VMs away \(75%\)"):
        planned(shop(), four, replicas=1)


def test_half_of_a_service_may_go() -> None:
    """4 to 2 is exactly the limit."""
    four = seen(*(vm(slot) for slot in range(4)))

    assert len(planned(shop(), four, replicas=2).old) == 4


def test_the_share_says_nothing_about_a_few_vms() -> None:
    """2 to 0 retires a small service without force: whoever types 0 means it."""
    assert len(planned(shop(), seen(vm(0), vm(1)), replicas=0).old) == 2


def test_force_lifts_the_limits() -> None:
    """It shows in the run's parameters."""
    four = seen(*(vm(slot) for slot in range(4)))

    assert planned(shop(), four, replicas=0, force=True).replicas == 0


def test_what_does_not_fit_under_the_surge_is_refused_before_it_begins() -> None:
    """Blue_green makes all new VMs beside the old ones; force makes no room either."""
    with pytest.raises(UnsafePlan, match=r"needs 8 VMs at once .* surge 2 allows 6"):
        planned(shop(surge=2), seen(*(vm(slot) for slot in range(4))), force=True)


def test_the_only_vm_is_not_taken_away_to_make_room_for_its_successor() -> None:
    """Without surge nobody would serve meanwhile."""
    service = shop(strategy="rolling", max_unavailable=1)

    with pytest.raises(UnsafePlan, match=r"none would serve .* give the service surge 1"):
        planned(service, seen(vm(0)), replicas=1)
