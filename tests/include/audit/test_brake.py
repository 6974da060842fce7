"""When an audit stops and asks."""

from __future__ import annotations

import pytest

from tests.include.audit.fleet import ROLLOUT, Fleet


def dead(count: int, *, of: int = 10) -> Fleet:
    """Return a fleet of twice *of* VMs in which *count* died."""
    fleet = Fleet(vms_each=of)
    for slot in range(count):
        fleet.turn(f"shop-{ROLLOUT}-{slot}", "unknown")
    return fleet


@pytest.mark.parametrize(("count", "asks"), [(0, False), (1, False), (4, False), (5, True)])
def test_more_than_a_fifth_of_twenty_is_too_much(count: int, asks: bool) -> None:
    assert bool(dead(count).question()) == asks


def test_one_vm_alone_never_stops_it() -> None:
    """Where the fleet is one service of two VMs, half of it is one VM."""
    fleet = dead(1, of=1)

    assert fleet.question() == ""


def test_two_of_four_do() -> None:
    assert "2 of 4 VMs are down (50%)" in dead(2, of=2).question()


def test_the_answer_is_a_run_that_allows_more() -> None:
    fleet = dead(5)

    assert "max_down=26" in fleet.question()
    assert fleet.question(max_down=0.26) == ""


def test_vms_that_vanished_count_too() -> None:
    fleet = Fleet()
    for slot in (0, 1):
        fleet.lose(f"shop-{ROLLOUT}-{slot}")

    assert "2 of 4" in fleet.question()


def test_orphans_alone_are_no_outage() -> None:
    """What is left of twenty rollouts says nothing of the VMs that run."""
    fleet = Fleet()
    fleet.nodes |= {f"shop-q2w4e7r-{slot}.lab.test" for slot in range(2, 22)}

    assert fleet.question() == ""


def test_vms_that_a_rollout_works_on_are_not_down() -> None:
    assert dead(5).question(busy=frozenset({"shop"})) == ""


def test_each_opennebula_counts_for_itself() -> None:
    """An empty list from a second cloud is few VMs of the fleet, and all of its own."""
    fleet = Fleet(vms_each=10)
    far = {"connections": fleet.services[1].connections.model_copy(update={"opennebula": "far"})}
    fleet.services[1] = fleet.services[1].model_copy(update={**far, "replicas": 2})
    for slot in range(10):
        fleet.lose(f"worker-{ROLLOUT}-{slot}")

    assert "2 of 2 VMs of far are down (100%)" in fleet.question()
    assert fleet.question(max_down=1) == ""


def test_a_long_list_is_cut() -> None:
    assert "and 2 more" in dead(12, of=12).question()
