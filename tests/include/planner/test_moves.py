"""A move names its VMs and its reason in one line."""

from __future__ import annotations

from include.planner import Drain
from tests.include.planner.seen import NEW, planned, seen, vm
from tests.include.planner.services import shop


def test_a_move_reads_as_an_event() -> None:
    """Active verb, who, and why."""
    move = Drain(("shop-aaaaaaa-0", "shop-aaaaaaa-1"), "4 serving > 2 needed")

    assert str(move) == "drain shop-aaaaaaa-0, shop-aaaaaaa-1: 4 serving > 2 needed"


def test_the_moves_of_a_release_come_in_the_order_that_is_safe() -> None:
    """Nothing that cannot be undone before the last watch."""
    plan = planned(shop(), seen(vm(0), vm(1)), release="1.1")

    assert [move.verb for move in plan.moves] == [
        *("create", "join", "watch", "join"),
        *("drain", "watch"),
        *("retire", "retire"),
    ]


def test_after_the_switch_the_new_vms_are_watched() -> None:
    """All of them, the canary too."""
    plan = planned(shop(), seen(vm(0), vm(1)), release="1.1")

    assert plan.watched == (f"shop-{NEW}-0", f"shop-{NEW}-1")


def test_when_nothing_is_new_those_that_stay_are_watched() -> None:
    """3 to 2: can the two carry it alone?"""
    plan = planned(shop(), seen(vm(0), vm(1), vm(2)), replicas=2, replace="none")

    assert plan.watched == ("shop-aaaaaaa-0", "shop-aaaaaaa-1")
