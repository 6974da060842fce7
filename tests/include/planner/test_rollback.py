"""The way back, and where it ends."""

from __future__ import annotations

from typing import Any

import pytest

from include.catalogue import Service
from include.planner import (
    CannotSee,
    Plan,
    Seen,
    SeenVm,
    TooLate,
    may_drain,
    past_return,
    roll_back,
    way_back,
)
from tests.include.planner.seen import NEW, member, planned, seen, vm
from tests.include.planner.services import shop

_SHOP = shop()
_PLAN = planned(_SHOP, seen(vm(0), vm(1)), release="1.1")


def _drained(slot: int, **changes: Any) -> Seen:
    return seen(vm(slot, member=member(f"shop-aaaaaaa-{slot}", state="drain"), **changes))


def test_drained_old_vms_serve_again_before_the_new_ones_go() -> None:
    """After a watch that failed."""
    look = seen(*_drained(0).vms, *_drained(1).vms, vm(0, NEW), vm(1, NEW))

    assert [str(move) for move in roll_back(_SHOP, _PLAN, look)] == [
        "undrain shop-aaaaaaa-0: it still runs: the way back",
        "undrain shop-aaaaaaa-1: it still runs: the way back",
        f"drain shop-{NEW}-0, shop-{NEW}-1: release 1.1 is taken back",
        f"retire shop-{NEW}-0, shop-{NEW}-1: release 1.1 is taken back",
    ]


@pytest.mark.parametrize("state", ["down", "starting"])
def test_a_drained_old_vm_that_fails_its_check_is_undrained_too(state: str) -> None:
    """HAProxy shows it as down, and the drain would stay in force when the blip is over."""
    sick = vm(0, member=member("shop-aaaaaaa-0", state=state))

    moves = roll_back(_SHOP, _PLAN, seen(sick, vm(1)))

    assert [str(move) for move in moves] == ["undrain shop-aaaaaaa-0: it still runs: the way back"]


def test_an_old_vm_in_maintenance_joins_again() -> None:
    """Killed while it was taken out."""
    out = vm(0, member=member("shop-aaaaaaa-0", state="maint"))

    assert [move.verb for move in roll_back(_SHOP, _PLAN, seen(out, vm(1)))] == ["join"]


def test_an_old_vm_that_left_the_pool_joins_it_again() -> None:
    """Killed between leaving and the first irreversible step."""
    moves = roll_back(_SHOP, _PLAN, seen(vm(0, member=None), vm(1)))

    assert [str(move) for move in moves] == ["join shop-aaaaaaa-0: it left the pool: the way back"]


def test_before_the_switch_only_the_new_ones_go() -> None:
    """The old ones were never touched."""
    moves = roll_back(_SHOP, _PLAN, seen(vm(0), vm(1), vm(0, NEW, member=None)))

    assert [move.verb for move in moves] == ["retire"]


def test_a_first_deployment_that_fails_leaves_nothing() -> None:
    """There is nothing to go back to."""
    plan = planned(_SHOP, seen())

    moves = roll_back(_SHOP, plan, seen(vm(0, NEW, member=None)))

    assert [(move.verb, move.vms) for move in moves] == [("retire", (f"shop-{NEW}-0",))]


def test_a_rollback_that_is_repeated_has_no_moves() -> None:
    """All is as it was."""
    assert roll_back(_SHOP, _PLAN, seen(vm(0), vm(1))) == ()


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (seen(), "shop-aaaaaaa-0 is gone"),
        (_drained(0, phase="stopping"), "shop-aaaaaaa-0 is gone"),
        (_drained(0, enrolled=False), "the certificate of shop-aaaaaaa-0 is revoked"),
    ],
    ids=["gone", "on its way out", "revoked"],
)
def test_after_the_first_irreversible_step_there_is_no_way_back(first: Seen, why: str) -> None:
    """The only way is forward."""
    look = seen(*first.vms, vm(1), vm(0, NEW), vm(1, NEW))

    assert past_return(_PLAN, look) == why
    with pytest.raises(TooLate, match=why):
        roll_back(_SHOP, _PLAN, look)


def test_those_that_are_whole_serve_again_though_one_has_gone() -> None:
    """Somebody deleted it while all were drained: the others must not stay so."""
    drained = _drained(1).vms

    assert [move.verb for move in way_back(_SHOP, _PLAN, seen(*drained, vm(0, NEW)))] == ["undrain"]


def test_an_old_vm_that_never_served_is_no_way_back() -> None:
    """It was broken when the plan was made; that it is gone now changes nothing."""
    broken = vm(0, member=member("shop-aaaaaaa-0", state="down"))
    plan = planned(_SHOP, seen(broken, vm(1)), release="1.1")

    assert past_return(plan, seen(vm(1), vm(0, NEW))) is None


def test_an_old_vm_that_had_no_certificate_before_is_not_revoked() -> None:
    """Somebody cleaned it up by hand and it served on: nothing irreversible was done by us."""
    plan = planned(_SHOP, seen(vm(0, enrolled=False), vm(1)), release="1.1")
    look = seen(*_drained(0, enrolled=False).vms, vm(1), vm(0, NEW, member=None))

    assert past_return(plan, look) is None
    assert [move.verb for move in roll_back(_SHOP, plan, look)] == ["undrain", "retire"]


def test_the_plan_of_a_rollout_that_began_before_this_says_that_all_were_enrolled() -> None:
    """A running rollout keeps its plan over an upgrade."""
    before = _PLAN.to_json()
    for old in before["old"]:
        del old["enrolled"]

    assert Plan.from_json(before) == _PLAN


def test_half_the_truth_is_no_ground_to_go_back_on() -> None:
    """A VM that cannot be seen is not a VM that is gone."""
    with pytest.raises(CannotSee):
        roll_back(_SHOP, _PLAN, Seen(unreadable=("opennebula: timed out",)))


def _cleared(service: Service, *slots: int) -> tuple[Plan, Seen]:
    """A watch failed, so did the way back (the CA was away), and then the whole run was cleared."""
    look = seen(*(vm for slot in slots for vm in (*_drained(slot).vms, _new(slot))))
    return planned(service, look, release="1.1"), look


def _new(slot: int) -> SeenVm:
    return vm(slot, NEW, release="1.1")


def test_what_an_earlier_attempt_has_drained_is_a_way_back() -> None:
    plan, look = _cleared(_SHOP, 0, 1)

    assert [str(move) for move in roll_back(_SHOP, plan, look)][:2] == [
        "undrain shop-aaaaaaa-0: it still runs: the way back",
        "undrain shop-aaaaaaa-1: it still runs: the way back",
    ]


def test_the_new_ones_go_once_those_serve_again_that_they_had_drained() -> None:
    plan, look = _cleared(_SHOP, 0, 1)
    back = seen(vm(0), vm(1), _new(0), _new(1))

    assert may_drain(_SHOP, plan, look, f"shop-{NEW}-0").status == "pending"
    assert may_drain(_SHOP, plan, back, f"shop-{NEW}-0").status == "done"


def test_once_it_has_gone_there_is_no_way_back_to_it() -> None:
    plan, _ = _cleared(_SHOP, 0, 1)

    assert past_return(plan, seen(*_drained(0).vms, _new(0), _new(1))) == "shop-aaaaaaa-1 is gone"


def test_what_a_person_has_drained_stays_drained() -> None:
    """No attempt of this rollout has come as far as the pool."""
    for made in ((), (vm(0, NEW, release="1.1", member=None),)):
        look = seen(*_drained(0).vms, vm(1), *made)
        plan = planned(_SHOP, look, release="1.1")

        assert "undrain" not in {move.verb for move in roll_back(_SHOP, plan, look)}


@pytest.mark.parametrize("fault", [{"in_dns": False}, {"enrolled": False}, {"phase": "unknown"}])
def test_a_drained_one_that_is_not_whole_is_no_way_back(fault: dict[str, Any]) -> None:
    look = seen(*_drained(0, **fault).vms, vm(1), _new(0))
    plan = planned(_SHOP, look, release="1.1")

    assert "undrain" not in {move.verb for move in roll_back(_SHOP, plan, look)}
