"""Whose turn it is in a rolling rollout, read off the world."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.planner import (
    Seen,
    may_create,
    may_drain,
    may_retire,
    may_start,
    roll_back,
    too_early,
)
from include.planner.window import patience, watch_time
from tests.include.planner.seen import NEW, OLD, health, member, planned, seen, vm
from tests.include.planner.services import shop

_SHOP = shop(replicas=3, strategy="rolling", surge=2)
_THREE = (vm(0), vm(1), vm(2))
_PLAN = planned(_SHOP, seen(*_THREE), release="1.1")
_N = [f"shop-{NEW}-{slot}" for slot in range(3)]
_O = [f"shop-{OLD}-{slot}" for slot in range(3)]


def _new(slot: int, **changes: Any) -> Any:
    return vm(slot, NEW, release="1.1", **changes)


def _fresh(slot: int, since_s: float) -> Any:
    return _new(slot, member=member(_N[slot], since_s=since_s))


def test_the_canary_goes_alone_until_its_old_vm_is_gone() -> None:
    """Though two may be replaced at a time."""
    both = seen(_new(0), *_THREE)

    assert may_create(_SHOP, _PLAN, seen(*_THREE), _N[0]).status == "done"
    verdict = may_create(_SHOP, _PLAN, both, _N[1])
    assert (verdict.status, verdict.detail) == (
        "pending",
        f"{_N[1]} waits for the canary, {_N[0]}",
    )
    assert may_create(_SHOP, _PLAN, seen(_new(0), *_THREE[1:]), _N[1]).status == "done"


def test_the_window_is_full_until_one_is_whole() -> None:
    """One at a time: slot 1 is under way, slot 2 waits."""
    service = shop(replicas=3, strategy="rolling", surge=1)
    plan = planned(service, seen(*_THREE), release="1.1")
    look = seen(_new(0), _new(1, member=None), *_THREE[1:])

    verdict = may_create(service, plan, look, _N[2])

    assert (verdict.status, verdict.detail) == ("pending", f"{_N[2]} waits for {_N[1]}")


def test_a_new_vm_that_fell_down_keeps_its_place_in_the_window() -> None:
    """Whole is what serves now, not what served once."""
    sick = _new(0, member=member(_N[0], state="down"))

    assert may_create(_SHOP, _PLAN, seen(sick, *_THREE[1:]), _N[1]).status == "pending"


def test_room_that_those_before_may_be_taking_right_now_is_taken() -> None:
    """Both look at the same moment: only the first may take the last place."""
    stray = vm(7, "ccccccc", vm_id=70, phase="stopping", member=None)
    look = seen(_new(0), *_THREE[1:], stray)

    assert may_create(_SHOP, _PLAN, look, _N[1]).status == "done"
    assert may_create(_SHOP, _PLAN, look, _N[2]).status == "pending"


def test_an_old_vm_waits_only_for_its_own_successor() -> None:
    """Slot 2 is not even begun."""
    look = seen(_new(0), *_THREE)

    assert may_drain(_SHOP, _PLAN, look, _O[0]).detail == "3 others serve ≥ 3 needed"
    early = may_drain(_SHOP, _PLAN, look, _O[1])
    assert (early.status, early.detail) == ("pending", f"{_N[1]} does not serve yet")


def test_by_the_pool_alone_too_it_waits_for_its_own_successor_only() -> None:
    pool = [member(_N[0])]

    assert too_early(_SHOP, _PLAN, pool, _O[0]) == ""
    assert too_early(_SHOP, _PLAN, pool, _O[1]) == f"{_N[1]} does not serve yet"


def test_an_old_vm_waits_until_its_successor_has_settled() -> None:
    """Up for 3 s of the 10 s in the catalogue."""
    verdict = may_drain(_SHOP, _PLAN, seen(_fresh(0, 3), *_THREE), _O[0])

    assert verdict.detail == f"{_N[0]} serves for 3 s, 10 s needed"


def test_of_two_that_ask_at_once_only_as_many_drain_as_can_be_spared() -> None:
    """One of the others is down: the first goes, the second counts without the first."""
    down = vm(2, member=member(_O[2], state="down"))
    look = seen(_new(0), _new(1), vm(0), vm(1), down)

    assert may_drain(_SHOP, _PLAN, look, _O[0]).status == "done"
    second = may_drain(_SHOP, _PLAN, look, _O[1])
    assert (second.status, second.detail) == ("pending", "2 others serve < 3 needed")


def test_a_vm_that_does_not_serve_is_no_loss() -> None:
    """Else a broken service could not be replaced at all."""
    down = vm(0, member=member(_O[0], state="down"))
    look = seen(_new(0), down, vm(1, member=member(_O[1], state="down")), vm(2))

    assert may_drain(_SHOP, _PLAN, look, _O[0]).status == "done"


def test_a_drained_old_vm_stays_while_the_others_are_too_few() -> None:
    """It is still the way back."""
    drained = vm(0, member=member(_O[0], state="drain"))
    fell = _new(0, member=member(_N[0], state="down"))

    assert may_retire(_SHOP, _PLAN, seen(fell, drained, vm(1), vm(2)), _O[0]).status == "pending"
    assert may_retire(_SHOP, _PLAN, seen(_new(0), drained, vm(1), vm(2)), _O[0]).status == "done"


def test_a_vm_that_only_goes_waits_for_its_turn_too() -> None:
    """Without surge its place is the room for the next."""
    service = shop(replicas=3, strategy="rolling", max_unavailable=1)
    plan = planned(service, seen(*_THREE), release="1.1")

    assert may_start(service, plan, seen(*_THREE), _O[0]).status == "done"
    assert may_start(service, plan, seen(*_THREE), _N[0]).status == "pending"
    assert may_start(service, plan, seen(*_THREE[1:]), _N[0]).status == "done"


def test_a_vm_that_only_comes_is_whole_when_its_watch_is_over() -> None:
    """No old VM shows that the watch was passed, so its time does: 30 s."""
    plan = planned(_SHOP, seen(*_THREE), replicas=5, replace="none")
    first, second = f"shop-{NEW}-3", f"shop-{NEW}-4"
    early, late = (vm(3, NEW, member=member(first, since_s=s)) for s in (20, 40))

    assert may_create(_SHOP, plan, seen(*_THREE, early), second).status == "pending"
    assert may_create(_SHOP, plan, seen(*_THREE, late), second).status == "done"


def test_half_the_truth_starts_nothing() -> None:
    """A VM that cannot be seen is not a VM that is gone."""
    assert may_start(_SHOP, _PLAN, Seen(unreadable=("dns: away",)), _N[0]).status == "pending"


def test_a_worker_without_balancer_is_whole_when_it_is_well() -> None:
    """Monitoring speaks for it."""
    worker = shop(replicas=3, strategy="rolling", surge=1, balancer=None)
    olds = [vm(slot, member=None) for slot in range(3)]
    plan = planned(worker, seen(*olds), release="1.1")
    well, sick = (_new(0, member=None, health=health("", state)) for state in ("ok", "critical"))

    assert may_create(worker, plan, seen(well, *olds[1:]), _N[1]).status == "done"
    assert may_create(worker, plan, seen(sick, *olds[1:]), _N[1]).status == "pending"


def test_the_canary_is_watched_at_least_as_long_as_the_others() -> None:
    """The longer of the two times of the catalogue."""
    service = shop(strategy="rolling", surge=1, canary={"count": 1, "watch": "90s"})

    assert watch_time(service, canary=True) == timedelta(seconds=90)
    assert watch_time(service, canary=False) == timedelta(seconds=30)
    assert patience(service) > timedelta(minutes=40)


@pytest.mark.parametrize("failed", [{1}, {0, 1, 2}])
def test_a_failure_in_the_middle_takes_back_only_what_is_not_whole(failed: set[int]) -> None:
    """Slot 0 is whole and stays; slot 1 failed in its drain; slot 2 never began."""
    drained = vm(1, member=member(_O[1], state="drain"))
    look = seen(_new(0), _new(1), drained, vm(2))

    assert [str(move).split(":")[0] for move in roll_back(_SHOP, _PLAN, look, failed)] == [
        f"undrain {_O[1]}",
        f"drain {_N[1]}",
        f"retire {_N[1]}",
    ]


def test_a_new_vm_whose_old_one_is_past_return_stays() -> None:
    """Its certificate is gone: the only way is forward."""
    revoked = vm(1, enrolled=False, member=None)

    assert roll_back(_SHOP, _PLAN, seen(_new(0), _new(1), revoked, vm(2)), {1}) == ()


def test_before_the_first_irreversible_step_everything_is_undone() -> None:
    """As in blue_green."""
    look = seen(_new(0), _new(1, member=None), *_THREE)

    assert [move.vms for move in roll_back(_SHOP, _PLAN, look, {1}) if move.verb == "retire"] == [
        (_N[0], _N[1])
    ]


def test_a_whole_replacement_of_a_vm_that_served_nobody_stays() -> None:
    """Nothing irreversible was done to one that served, and slot 0 has nothing else."""
    down = [vm(slot, member=member(_O[slot], state="down")) for slot in range(3)]
    plan = planned(_SHOP, seen(*down), release="1.1")
    look = seen(_new(0), _new(1, member=None), *down[1:])

    moves = roll_back(_SHOP, plan, look, {1})

    assert [move.vms for move in moves if move.verb == "retire"] == [(_N[1],)]


def test_where_nothing_served_before_what_serves_now_stays() -> None:
    down = [vm(slot, member=member(_O[slot], state="down")) for slot in range(3)]
    plan = planned(_SHOP, seen(*down), release="1.1")

    assert may_drain(_SHOP, plan, seen(_new(0), *down), _N[0]).status == "pending"


def test_a_new_vm_is_taken_back_only_when_the_others_serve() -> None:
    """Answers with some errors are better than none."""
    drained = vm(1, member=member(_O[1], state="drain"))

    assert may_drain(_SHOP, _PLAN, seen(_new(0), _new(1), drained, vm(2)), _N[1]).status == (
        "pending"
    )
    assert may_drain(_SHOP, _PLAN, seen(_new(0), _new(1), vm(1), vm(2)), _N[1]).status == "done"
