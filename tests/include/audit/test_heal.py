"""Which rollout an audit starts."""

from __future__ import annotations

from dataclasses import replace

from include.audit import heal, in_turn
from tests.include.audit.fleet import ROLLOUT, Fleet

NAME = f"shop-{ROLLOUT}-1"


def test_a_dead_vm_is_replaced_and_whole_ones_are_kept() -> None:
    fleet = Fleet()
    fleet.turn(NAME, "off")
    params = heal(fleet.judged())

    assert list(params) == ["shop"]
    assert params["shop"]["replace"] == "none"
    assert NAME in params["shop"]["reason"]
    assert "release" not in params["shop"]


def test_where_a_vm_looks_whole_to_a_rollout_its_slot_is_named() -> None:
    fleet = Fleet()
    fleet.nodes.discard(f"{NAME}.lab.test")
    params = heal(fleet.judged())["shop"]

    assert (params["replace"], params["slots"]) == ("all", [1])


def test_where_nobody_serves_the_release_of_the_dead_comes_back() -> None:
    """The catalogue may say another one than the one that was deployed last."""
    fleet = Fleet()
    fleet.vms = [replace(vm, context={"SNOWMELT_RELEASE": "1.7"}) for vm in fleet.vms]
    for slot in (0, 1):
        fleet.turn(f"worker-{ROLLOUT}-{slot}", "off")

    assert heal(fleet.judged())["worker"]["release"] == "1.7"


def test_what_may_not_be_mended_is_not_healed() -> None:
    fleet = Fleet()
    fleet.turn(NAME, "off")

    assert heal(fleet.judged(busy=frozenset({"shop"}))) == {}


def test_the_reason_fits_into_the_form_of_a_rollout() -> None:
    fleet = Fleet(vms_each=20)
    for slot in range(20):
        fleet.turn(f"shop-{ROLLOUT}-{slot}", "off")

    assert len(heal(fleet.judged())["shop"]["reason"]) == 500


def test_who_cannot_be_healed_by_a_later_audit_is_first() -> None:
    """Nothing tells of a VM that vanished once the repair has been at it."""
    fleet = Fleet()
    fleet.turn(NAME, "off")
    fleet.lose(f"worker-{ROLLOUT}-1")
    judged = fleet.judged()

    assert {tuple(in_turn(judged, f"run {n}")) for n in range(9)} == {("worker", "shop")}


def test_nobody_is_always_the_last() -> None:
    """Where not all get a rollout, and those of some fail each time."""
    fleet = Fleet()
    fleet.turn(NAME, "off")
    fleet.turn(f"worker-{ROLLOUT}-1", "off")
    judged = fleet.judged()

    assert {in_turn(judged, f"run {n}")[0] for n in range(9)} == {"shop", "worker"}
    assert in_turn(judged, "run 1") == in_turn(judged, "run 1")
