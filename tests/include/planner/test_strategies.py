"""What a strategy does at one moment; whole rollouts are in the narratives."""

from __future__ import annotations

from typing import get_args

from include.catalogue import Service
from include.planner import STRATEGIES, Seen, blue_green
from tests.include.planner.seen import NEW, planned, seen, vm
from tests.include.planner.services import shop


def test_the_catalogue_offers_exactly_the_strategies_that_exist() -> None:
    """A name in the Literal without a function would fail at the first rollout."""
    assert set(get_args(Service.model_fields["strategy"].annotation)) == set(STRATEGIES)


def test_the_others_wait_for_the_canary() -> None:
    """Only the canary is made before its gate is passed."""
    look = seen(vm(0), vm(1))
    plan = planned(shop(), look, release="1.1")

    (first,) = blue_green(shop(), plan, look, frozenset())
    (all_of_them,) = blue_green(shop(), plan, look, frozenset({"canary"}))

    assert str(first) == f"create shop-{NEW}-0: canary: 2 VMs + 1 ≤ 4 allowed"
    assert all_of_them.vms == (f"shop-{NEW}-0", f"shop-{NEW}-1")


def test_nothing_is_retired_before_the_watch_after_the_switch() -> None:
    """Irreversible steps come last."""
    plan = planned(shop(), seen(vm(0), vm(1)))
    switched = seen(vm(0, member=None), vm(1, member=None), vm(0, NEW), vm(1, NEW))

    assert blue_green(shop(), plan, switched, frozenset({"canary", "drained"})) == ()
    moves = blue_green(shop(), plan, switched, frozenset({"canary", "drained", "switched"}))
    assert [move.verb for move in moves] == ["retire", "retire"]


def test_no_move_is_safe_on_half_the_truth() -> None:
    """An empty answer means: wait."""
    plan = planned(shop(), seen(vm(0), vm(1)))

    assert blue_green(shop(), plan, Seen(unreadable=("dns: SERVFAIL",)), frozenset()) == ()


def test_the_same_world_gives_the_same_moves() -> None:
    """A repeated look decides the same."""
    look = seen(vm(0), vm(1), vm(0, NEW, member=None))
    plan = planned(shop(), look)

    assert blue_green(shop(), plan, look, frozenset()) == blue_green(
        shop(), plan, look, frozenset()
    )
