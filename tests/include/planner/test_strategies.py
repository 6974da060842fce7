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


def test_all_new_vms_are_made_at_once() -> None:
    """As it is wired: the others need not boot after the watch of the canary."""
    look = seen(vm(0), vm(1))
    plan = planned(shop(), look, release="1.1")

    (create,) = blue_green(shop(), plan, look, frozenset())

    assert str(create) == f"create shop-{NEW}-0, shop-{NEW}-1: 2 VMs + 2 ≤ 4 allowed"


def test_where_there_is_room_for_one_it_is_the_canary() -> None:
    """A VM that came since the plan takes up room; the other follows when that one has gone."""
    plan = planned(shop(), seen(vm(0), vm(1)), release="1.1")
    crowded = seen(vm(0), vm(1), vm(2))
    full = seen(*crowded.vms, vm(0, NEW, member=None, in_dns=False))

    (create,) = blue_green(shop(), plan, crowded, frozenset())

    assert str(create) == f"create shop-{NEW}-0: 3 VMs + 1 ≤ 4 allowed"
    assert blue_green(shop(), plan, full, frozenset()) == ()


def test_the_others_join_after_the_watch_of_the_canary() -> None:
    """They are ready as well, and wait outside the pool."""
    plan = planned(shop(), seen(vm(0), vm(1)), release="1.1")
    ready = seen(vm(0), vm(1), vm(0, NEW, member=None), vm(1, NEW, member=None))
    joined = seen(vm(0), vm(1), vm(0, NEW), vm(1, NEW, member=None))

    (first,) = blue_green(shop(), plan, ready, frozenset())
    (second,) = blue_green(shop(), plan, joined, frozenset({"canary"}))

    assert str(first) == f"join shop-{NEW}-0: in DNS, enrolled and monitored"
    assert blue_green(shop(), plan, joined, frozenset()) == ()
    assert str(second) == f"join shop-{NEW}-1: in DNS, enrolled and monitored"


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
