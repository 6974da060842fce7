"""Nothing of a VM survives it: each system's trace is found, and nobody else's is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from include.catalogue import load_service
from include.facts import Address, Certificate, CheckResult, CloudVm, Entry, HostHealth, Member
from include.planner import Facts
from include.traces import names_left, traces

GONE, STAYS = "shop-aaaaaaa-0", "shop-bbbbbbb-0"
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def vm(name: str) -> CloudVm:
    return CloudVm(vm_id=7, name=name, phase="stopping", state="ACTIVE/SHUTDOWN", created_at=NOW)


def certificate(name: str) -> Certificate:
    return Certificate(certname=f"{name}.lab.test", state="signed", fingerprint="")


def address(name: str) -> Address:
    return Address(fqdn=f"{name}.lab.test", address="198.18.0.100", ttl=60)


def health(name: str) -> HostHealth:
    ping = CheckResult(name="ping", state="ok", output="", checked_at=NOW)
    return HostHealth(name=f"{name}.lab.test", address="a", host=ping, checks=())


def entry(name: str) -> Entry:
    return Entry(group="web_vms", address="198.18.0.100", name=f"{name}.lab.test")


def member(name: str) -> Member:
    return Member(
        pool="shop",
        name=name,
        address="a",
        port=80,
        state="drain",
        since_s=0,
        connections=0,
        sessions=0,
        requests=0,
        errors=0,
    )


CASES: list[tuple[dict[str, Any], str]] = [
    ({"vms": vm}, f"VM 7 {GONE} is ACTIVE/SHUTDOWN"),
    ({"certificates": certificate}, f"certificate of {GONE}.lab.test is signed"),
    ({"addresses": address}, f"{GONE}.lab.test is 198.18.0.100"),
    ({"health": health}, f"{GONE}.lab.test is monitored"),
    ({"members": member}, f"{GONE} is in pool shop"),
    ({"entries": entry}, f"the firewall lets in {GONE}.lab.test"),
]


@pytest.mark.parametrize(("made", "told"), CASES)
def test_a_trace_in_one_system_is_told(made: dict[str, Any], told: str) -> None:
    ((field, make),) = made.items()
    facts = Facts(**{field: (make(GONE), make(STAYS))})

    assert traces(load_service("shop"), [GONE], facts, nodes=()) == (told,)


def test_an_active_node_in_puppetdb_is_told() -> None:
    nodes = (f"{GONE}.lab.test", f"{STAYS}.lab.test")

    assert traces(load_service("shop"), [GONE], Facts(), nodes) == (
        f"PuppetDB has {GONE}.lab.test as active",
    )


def test_what_stays_leaves_no_trace() -> None:
    facts = Facts(**{k: (make(STAYS),) for case, _ in CASES for k, make in case.items()})

    assert traces(load_service("shop"), [GONE], facts, (f"{STAYS}.lab.test",)) == ()


@pytest.mark.parametrize("make", [made for case, _ in CASES for made in case.values()])
@pytest.mark.parametrize("known", [True, False])
def test_a_name_goes_where_its_rollout_is_known(make: Any, known: bool) -> None:
    """A host in monitoring has our variable, or the facts would not hold it: it tells by itself."""
    (field,) = (key for case, _ in CASES for key, each in case.items() if each is make)
    names = names_left(
        load_service("shop"), Facts(**{field: (make(GONE),)}), (), {"shop-aaaaaaa"} if known else ()
    )

    assert names == ((GONE,) if (known or make is health) and make is not vm else ())


def test_a_living_vm_of_ours_tells_whose_its_rollout_is() -> None:
    ours = replace(vm(GONE), attributes={"SNOWMELT_SERVICE": "shop"})
    nodes = ("shop-aaaaaaa-7.lab.test", f"{STAYS}.lab.test")

    assert names_left(load_service("shop"), Facts(vms=(ours,)), nodes, ()) == (
        GONE,
        "shop-aaaaaaa-7",
    )


def test_a_name_that_a_vm_of_somebody_has_is_left_to_it() -> None:
    facts = Facts(vms=(vm(GONE),), certificates=(certificate(GONE),))

    assert names_left(load_service("shop"), facts, (), {"shop-aaaaaaa"}) == ()
