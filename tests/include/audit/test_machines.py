"""VMs as such: what counts as dead, and what as gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from include.facts import VmPhase
from tests.include.audit.fleet import NOW, ROLLOUT, WORDS, Fleet

NAME = f"shop-{ROLLOUT}-1"


def found(fleet: Fleet) -> dict[str, str]:
    judged = fleet.judged()
    return {e.finding.thing: e.finding.kind for e in judged if e.finding.system == "OpenNebula"}


@pytest.mark.parametrize("phase", ["failed", "off", "unknown", "pending", "starting", "stopping"])
def test_a_vm_that_does_not_run_needs_a_new_one(phase: VmPhase) -> None:
    fleet = Fleet()
    fleet.turn(NAME, phase)
    (judged,) = fleet.judged()

    assert (judged.finding.kind, judged.finding.act) == ("dead", "rollout")


def test_a_service_made_smaller_by_a_rollout_is_not_filled_up() -> None:
    """A rollout leaves no trace of what it took away."""
    fleet = Fleet()
    fleet.services[0] = fleet.services[0].model_copy(update={"replicas": 3})

    assert fleet.judged() == ()


MISSED = frozenset({f"shop-{ROLLOUT}-2"})


def test_a_vm_that_was_never_replaced_is_told_until_something_fills_its_slot() -> None:
    """Whether its healing failed or a run made the service smaller, nobody can tell any more."""
    fleet = Fleet()
    fleet.services[0] = fleet.services[0].model_copy(update={"replicas": 3})
    (judged,) = fleet.judged(missed=MISSED)

    assert (judged.finding.kind, judged.finding.act) == ("dead", "nothing")
    assert "run rollout_shop with replace=none" in judged.why_not
    fleet.add("shop", 2, rollout="q2w4e7r")
    assert fleet.judged(missed=MISSED) == ()


@pytest.mark.parametrize("how", ["made smaller", "retired", "gone"])
def test_a_vm_that_the_catalogue_wants_no_more_is_forgotten(how: str) -> None:
    fleet = Fleet()
    wanted = {"made smaller": 2, "retired": 0, "gone": 3}[how]
    fleet.services[0] = fleet.services[0].model_copy(update={"replicas": wanted})
    if how == "gone":
        fleet.services = fleet.services[1:]

    assert not [each for each in fleet.judged(missed=MISSED) if each.finding.kind == "dead"]


def test_a_vm_that_somebody_asked_for_is_not_missed_after_its_end() -> None:
    """OpenNebula ended it by itself; what is left of it goes."""
    fleet = Fleet(vms_each=1)
    end = {"expires_at": NOW - timedelta(minutes=1)}
    fleet.services[0] = fleet.services[0].model_copy(update=end)
    fleet.lose(f"shop-{ROLLOUT}-0")

    assert found(fleet) == {}
    assert {each.finding.kind for each in fleet.judged()} == {"orphan"}


@pytest.mark.parametrize("word", WORDS)
def test_a_name_that_a_person_made_does_not_fill_up_a_service_made_smaller(word: str) -> None:
    """It reads like a VM that was lost, and nobody lost one."""
    fleet = Fleet()
    fleet.services[0] = fleet.services[0].model_copy(update={"replicas": 3})
    fleet.forward.add((f"shop-{word}-2.lab.test", "198.18.0.81"))

    assert found(fleet) == {}


def test_a_lost_vm_whose_address_still_answers_is_not_replaced() -> None:
    """OpenNebula may only not show it."""
    fleet = Fleet()
    fleet.lose(NAME)
    fleet.join(NAME, "198.18.0.101", "up")

    assert found(fleet) == {f"VM {NAME}": "dead"}
    assert not [each for each in fleet.judged() if each.safe]


def test_a_slot_that_another_vm_fills_is_not_empty() -> None:
    fleet = Fleet()
    fleet.add("shop", 1, rollout="q2w4e7r")
    fleet.lose(NAME)

    assert found(fleet) == {}


def test_a_vm_beyond_the_catalogue_leaves_traces_only() -> None:
    fleet = Fleet()
    fleet.services[0] = fleet.services[0].model_copy(update={"replicas": 1})
    fleet.lose(NAME)

    assert found(fleet) == {}
    assert {each.finding.kind for each in fleet.judged()} == {"orphan"}


def test_traces_of_a_name_that_somebody_else_took_are_no_orphans() -> None:
    """Whoever uses that VM may use its name too."""
    fleet = Fleet()
    fleet.vms = [
        replace(vm, attributes={}, owner="bob") if vm.name == NAME else vm for vm in fleet.vms
    ]

    assert {each.finding.kind for each in fleet.judged() if each.finding.name == NAME} == {
        "foreign"
    }


def test_a_guest_that_overwrites_its_attributes_stays_ours() -> None:
    fleet = Fleet()
    fleet.vms = [
        replace(vm, attributes={}, context={"SET_HOSTNAME": f"{vm.name}.lab.test"})
        for vm in fleet.vms
    ]

    assert fleet.judged() == ()
