"""Plans, by situation."""

from __future__ import annotations

import pytest

from include.planner import (
    CannotSee,
    Foreign,
    ForeignVms,
    Seen,
    Wanted,
    plan_rollout,
)
from tests.include.planner.seen import NEW, NOW, planned, seen, vm
from tests.include.planner.services import shop


def test_what_is_as_wanted_gives_a_plan_without_moves_that_says_so() -> None:
    """`replace=outdated` at the wanted state."""
    plan = planned(shop(), seen(vm(0), vm(1)), release="1.0", replace="outdated")

    assert plan.nothing_to_do
    assert [move.verb for move in plan.moves] == ["keep", "keep"]
    assert plan.notes[-1] == "nothing to do: 2 of 2 VMs serve at release 1.0"


def test_the_canary_is_the_lowest_new_slot() -> None:
    """One VM goes first when somebody is served already."""
    plan = planned(shop(), seen(vm(0), vm(1)), release="1.1")

    assert [new.canary for new in plan.new] == [True, False]


def test_a_first_deployment_has_no_canary() -> None:
    """There is nobody to protect."""
    assert not any(new.canary for new in planned(shop(), seen()).new)


def test_half_the_truth_is_no_ground_for_a_plan() -> None:
    """Stop, not guess; not even with force."""
    half = Seen(unreadable=("balancer: connection refused",))

    with pytest.raises(CannotSee, match="connection refused"):
        planned(shop(), half, force=True)


def test_a_foreign_vm_under_our_name_stops_the_plan() -> None:
    """It may be somebody's; force goes on beside it and leaves it alone."""
    foreign = (Foreign(name="shop-aaaaaaa-5", vm_id=5, why="has no marks", blocking=True),)

    with pytest.raises(ForeignVms, match="vm 5"):
        planned(shop(), seen(foreign=foreign))
    plan = planned(shop(), seen(foreign=foreign), force=True)
    assert plan.notes[-1] == "left alone: shop-aaaaaaa-5 (vm 5) has no marks"


def test_to_plan_is_to_change_nothing_and_to_decide_the_same_again() -> None:
    """A dry run is this function and nothing else."""
    look = seen(vm(0), vm(1, phase="unknown"), vm(2, "ccccccc", member=None))
    first = plan_rollout(shop(), Wanted(), look, NEW, NOW)

    assert plan_rollout(shop(), Wanted(), look, NEW, NOW) == first
