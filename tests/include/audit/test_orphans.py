"""Whose a trace is, when its VM is gone."""

from __future__ import annotations

from include.audit import Monitored
from tests.include.audit.fleet import WORD, Fleet

NAME = f"shop-{WORD}-0"
FQDN = f"{NAME}.lab.test"


def safe(fleet: Fleet, known: frozenset[str] = frozenset()) -> list[str]:
    return [each.finding.thing for each in fleet.judged(known=known) if each.safe]


def test_a_rollout_that_reads_like_a_word_is_left_alone() -> None:
    fleet = Fleet()
    fleet.nodes.add(FQDN)

    assert safe(fleet) == []


def test_it_is_ours_when_an_audit_saw_its_vm_alive() -> None:
    fleet = Fleet()
    fleet.nodes.add(FQDN)

    assert safe(fleet, frozenset({f"shop-{WORD}"})) == [f"node {FQDN}"]
    assert safe(fleet, frozenset({f"worker-{WORD}"})) == []


def test_it_is_ours_when_monitoring_has_our_mark_on_it() -> None:
    fleet = Fleet()
    fleet.nodes.add(FQDN)
    fleet.hosts[FQDN] = Monitored(name=FQDN, address="198.18.0.9", service="shop")

    assert safe(fleet) == [f"host {FQDN}", f"node {FQDN}"]


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
