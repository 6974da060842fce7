"""Whose a trace is, when its VM is gone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.audit import Monitored
from tests.include.audit.fleet import KNOWN, LONG_DOWN, ROLLOUT, WORDS, Fleet

ROLLOUT_OF_A_WORD = f"shop-{WORDS[1]}"
FQDN = f"{ROLLOUT_OF_A_WORD}-0.lab.test"


def safe(fleet: Fleet, known: frozenset[str] = frozenset()) -> list[str]:
    return [each.finding.thing for each in fleet.judged(known=known) if each.safe]


@pytest.mark.parametrize("word", WORDS)
def test_a_rollout_that_nobody_saw_alive_is_left_alone(word: str) -> None:
    """With a certificate and a name, as a person would make them."""
    fleet = Fleet()
    fleet.certificates[f"shop-{word}-0.lab.test"] = "signed"
    fleet.forward.add((f"shop-{word}-0.lab.test", "198.18.0.81"))

    assert safe(fleet) == []
    assert len(fleet.judged()) == 2


def test_it_is_ours_when_an_audit_saw_its_vm_alive() -> None:
    fleet = Fleet()
    fleet.nodes.add(FQDN)

    assert safe(fleet, frozenset({ROLLOUT_OF_A_WORD})) == [f"node {FQDN}"]
    assert safe(fleet, frozenset({f"worker-{WORDS[1]}"})) == []


def test_it_is_ours_when_another_vm_of_its_rollout_lives() -> None:
    """The first audit of all knows as much."""
    fleet = Fleet()
    fleet.lose(f"shop-{ROLLOUT}-1")

    assert f"node shop-{ROLLOUT}-1.lab.test" in safe(fleet, frozenset())


def test_it_is_ours_when_monitoring_has_our_mark_on_one_of_its_vms() -> None:
    fleet = Fleet()
    other = f"{ROLLOUT_OF_A_WORD}-1.lab.test"
    fleet.nodes |= {FQDN, other}
    fleet.hosts[FQDN] = Monitored(
        name=FQDN, address="198.18.0.9", service="shop", down_since=LONG_DOWN
    )

    assert safe(fleet) == [f"host {FQDN}", f"node {FQDN}", f"node {other}"]


def test_a_vm_that_monitoring_finds_up_keeps_all_that_it_has() -> None:
    """It changed hands (`onevm chown`); there is no balancer to tell that it lives."""
    fleet = Fleet()
    fleet.vms = [vm for vm in fleet.vms if vm.name != f"worker-{ROLLOUT}-1"]

    assert safe(fleet, KNOWN) == []
    fleet.lose(f"worker-{ROLLOUT}-1")
    assert f"host worker-{ROLLOUT}-1.lab.test" in safe(fleet, KNOWN)


def test_a_host_that_is_up_at_an_address_which_another_vm_has_by_now_goes() -> None:
    fleet = Fleet()
    fleet.lose(f"worker-{ROLLOUT}-1")
    host = fleet.hosts[f"worker-{ROLLOUT}-1.lab.test"]
    fleet.hosts[host.name] = replace(host, address=fleet.vms[0].addresses[0], down_since=None)

    assert f"host {host.name}" in safe(fleet, KNOWN)


def test_where_all_vms_of_a_service_are_missing_nothing_of_them_goes() -> None:
    """An account that lost its rights on one service sees it so; the others are mended."""
    fleet = Fleet(vms_each=1)
    fleet.lose(f"worker-{ROLLOUT}-0")
    fleet.nodes.add("shop-q2w4e7r-0.lab.test")

    assert safe(fleet, KNOWN) == ["node shop-q2w4e7r-0.lab.test"]


def test_a_host_of_our_name_that_says_another_service_is_not_ours() -> None:
    fleet = Fleet()
    name = "shop-q2w4e7r-0.lab.test"
    fleet.hosts[name] = Monitored(name=name, address="198.18.0.9", service="worker")

    assert safe(fleet) == []
    assert [each.finding.kind for each in fleet.judged()] == ["foreign"]


def test_a_name_in_another_zone_is_none_of_our_business() -> None:
    fleet = Fleet()
    fleet.forward.add(("shop-q2w4e7r-0.example.org", "198.18.0.9"))

    assert fleet.judged() == ()
