"""What other systems may say of a living VM."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.include.audit.fleet import GROUP, NOW, ROLLOUT, WORDS, Fleet, service

NAME, ADDRESS = f"shop-{ROLLOUT}-1", "198.18.0.101"
FQDN = f"{NAME}.lab.test"
BARE = {"balancer": None, "monitoring": None, "firewall": None}


def acts(fleet: Fleet) -> list[str]:
    return [each.finding.act for each in fleet.judged() if each.safe]


def test_a_service_without_balancer_monitoring_and_firewall_needs_none() -> None:
    fleet = Fleet()
    fleet.services[0] = fleet.services[0].model_copy(update=BARE)
    del fleet.hosts[FQDN], fleet.members[NAME], fleet.entries[ADDRESS]

    assert acts(fleet) == []


@pytest.mark.parametrize(("ends_in_min", "wanted"), [(-1, ["replace VM"]), (1, [])])
def test_an_expired_certificate_is_none(ends_in_min: int, wanted: list[str]) -> None:
    """It is signed all the same, so a rollout alone would find the VM whole."""
    fleet = Fleet()
    fleet.not_after[FQDN] = NOW + timedelta(minutes=ends_in_min)

    assert [each.finding.act for each in fleet.judged()] == wanted


def test_every_address_of_a_vm_may_be_in_dns() -> None:
    """A second network, and IPv6: whoever publishes those, they are the VM's."""
    fleet = Fleet()
    more = ("198.18.7.1", "2001:db8::1")
    fleet.vms = [
        replace(vm, addresses=(*vm.addresses, *more)) if vm.name == NAME else vm for vm in fleet.vms
    ]
    fleet.forward |= {(FQDN, each) for each in more}
    fleet.reverse.add((FQDN, more[0]))
    fleet.entries[more[0]] = FQDN

    assert fleet.judged() == ()


def down(fleet: Fleet, name: str, since: timedelta) -> None:
    host = fleet.hosts[f"{name}.lab.test"]
    fleet.hosts[host.name] = replace(host, down_since=NOW - since)


def test_a_guest_that_is_down_while_opennebula_says_it_runs_needs_a_new_vm() -> None:
    """Without a balancer nobody else would tell."""
    fleet = Fleet()
    down(fleet, f"worker-{ROLLOUT}-0", timedelta(hours=1))
    (judged,) = fleet.judged()

    assert (judged.finding.kind, judged.finding.act, judged.safe) == ("dead", "rollout", True)


def test_a_guest_that_is_down_for_less_than_the_grace_may_come_back() -> None:
    fleet = Fleet()
    down(fleet, f"worker-{ROLLOUT}-0", timedelta(minutes=5))

    assert [each.safe for each in fleet.judged(seen_for=timedelta(0))] == [False]


def test_what_the_balancer_finds_well_is_well_whatever_monitoring_says() -> None:
    fleet = Fleet()
    down(fleet, NAME, timedelta(hours=1))

    assert fleet.judged() == ()


def test_a_guest_that_the_firewall_shuts_out_is_let_in_again_not_replaced() -> None:
    """Monitoring may stand on the other side; a firewall that forgot its sets kills no fleet."""
    fleet = Fleet()
    fleet.services[1] = service("worker", balancer=None, firewall={"group": GROUP})
    for slot in (0, 1):
        down(fleet, f"worker-{ROLLOUT}-{slot}", timedelta(hours=1))

    assert acts(fleet) == ["open firewall"] * 2
    assert fleet.question() == ""


def test_guests_that_are_all_down_at_once_are_monitoring_s_trouble() -> None:
    fleet = Fleet()
    for slot in (0, 1):
        down(fleet, f"worker-{ROLLOUT}-{slot}", timedelta(hours=1))

    assert "2 of 4 VMs are down" in fleet.question()


def test_a_group_that_the_firewall_lacks_is_told_once_for_a_service() -> None:
    """Letting its VMs in would fail, and a new VM would not serve either."""
    fleet = Fleet()
    fleet.no_groups, fleet.entries = {GROUP: "no set of that name"}, {}
    for slot in (0, 1):
        fleet.join(f"shop-{ROLLOUT}-{slot}", f"198.18.0.10{slot}", "down")
    found = [each for each in fleet.judged() if each.finding.system == "firewall"]

    assert [(each.finding.thing, each.safe) for each in found] == [
        (f"group {GROUP} of shop", False)
    ]
    assert set(acts(fleet)) == {"nothing"}


@pytest.mark.parametrize("state", ["up", "starting"])
def test_a_member_that_serves_or_soon_will_is_no_drift(state: str) -> None:
    fleet = Fleet()
    fleet.join(NAME, ADDRESS, state)

    assert acts(fleet) == []


def test_a_wrong_name_goes_before_the_right_one_is_published() -> None:
    """Else the right one would be a conflict."""
    fleet = Fleet()
    fleet.forward.discard((FQDN, ADDRESS))
    fleet.forward.add((FQDN, "198.18.0.7"))

    assert acts(fleet) == ["remove names", "publish names"]


def test_an_address_that_still_points_to_a_dead_vm_of_ours_is_free_soon() -> None:
    """Its leases go round: the pointer of the VM before is an orphan, and goes first."""
    fleet = Fleet()
    fleet.reverse.discard((FQDN, ADDRESS))
    fleet.reverse.add(("shop-q2w4e7r-1.lab.test", ADDRESS))

    assert acts(fleet) == ["remove names", "publish names"]


def test_a_vm_that_died_is_told_once_and_not_for_each_system() -> None:
    fleet = Fleet()
    fleet.turn(NAME, "unknown")
    fleet.join(NAME, ADDRESS, "down")
    fleet.nodes.discard(FQDN)

    assert acts(fleet) == ["rollout"]


def test_an_address_that_is_open_for_a_dead_vm_of_ours_is_free_soon() -> None:
    """Its leases go round here too."""
    fleet = Fleet()
    fleet.entries[ADDRESS] = "shop-q2w4e7r-1.lab.test"

    assert acts(fleet) == ["remove entry", "open firewall"]


@pytest.mark.parametrize("word", WORDS)
def test_an_address_that_a_person_gave_to_a_name_like_ours_is_taken(word: str) -> None:
    """Their pointer and their entry stay, so ours would be a conflict at every audit."""
    fleet = Fleet()
    theirs = f"shop-{word}-1.lab.test"
    fleet.reverse.discard((FQDN, ADDRESS))
    fleet.reverse.add((theirs, ADDRESS))
    fleet.entries[ADDRESS] = theirs

    assert acts(fleet) == []


def test_two_services_may_share_a_group() -> None:
    fleet = Fleet()
    fleet.services[1] = fleet.services[1].model_copy(
        update={"firewall": fleet.services[0].firewall}
    )
    for slot in (0, 1):
        fleet.entries[f"198.18.0.{102 + slot}"] = f"worker-{ROLLOUT}-{slot}.lab.test"

    assert fleet.judged() == ()
