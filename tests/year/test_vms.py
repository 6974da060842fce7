"""The fleet of the simulated year, without the systems."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.facts import Address, Certificate, CheckResult, HostHealth
from include.planner import Wanted, plan_rollout, see
from include.planner.look import Facts
from snowmelt.identity import retirements
from tests.year.day import POLICY, fleet_of, in_order
from tests.year.vms import AddressPlan, Vms

NOW = datetime(2026, 1, 5, 1, tzinfo=UTC)


def known(vms: Vms) -> Facts:
    """Return the facts of VMs that every system knows and finds well."""
    well = CheckResult(name="host", state="ok", output="", checked_at=NOW)
    return Facts(
        vms=vms.seen(),
        certificates=[
            Certificate(certname=vm.fqdn, state="signed", fingerprint="AB:CD") for vm in vms
        ],
        addresses=[Address(fqdn=vm.fqdn, address=vm.address, ttl=60) for vm in vms],
        health=[HostHealth(name=vm.fqdn, address=vm.address, host=well, checks=()) for vm in vms],
    )


def test_an_address_is_given_to_one_vm_at_a_time() -> None:
    """The lowest that is free, and none of the lab's own."""
    vms = Vms(AddressPlan())
    (service,) = fleet_of(1).values()
    one, other = (vms.made(service, f"year00-aaaaaaa-{slot}", NOW) for slot in range(2))

    vms.forget(one)
    third = vms.made(service, "year00-bbbbbbb-0", NOW)

    assert (one.address, other.address, third.address) == (
        "198.18.0.2",
        "198.18.0.3",
        "198.18.0.2",
    )


def test_fifty_names_are_ten_services() -> None:
    """And a name more is one service more: never fewer names than were asked for."""
    assert len(fleet_of(50)) == 10
    assert sum(service.replicas for service in fleet_of(51).values()) == 55


def test_its_services_are_known_to_the_systems_of_the_year_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that is in another system too would have it asked, and nobody has started that."""
    monkeypatch.setenv("AIRFLOW_CONN_SNOWMELT_MONITORING", '{"conn_type": "icinga2"}')
    (service,) = fleet_of(1).values()

    known = [
        what for what, _ in retirements(service, "year00-aaaaaaa-0.lab.test", "", revoke=False)
    ]

    assert known == ["monitoring", "certificate", "PuppetDB node", "names"]


def test_the_planner_takes_them_for_a_service_that_runs() -> None:
    """The next rotation replaces each of its VMs."""
    vms = Vms(AddressPlan())
    (service,) = fleet_of(1).values()
    for slot in range(service.replicas):
        vms.made(service, f"year00-aaaaaaa-{slot}", NOW)

    plan = plan_rollout(service, Wanted(), see(service, known(vms)), "bbbbbbb", NOW)

    assert len(plan.new) == len(plan.old) == service.replicas


def test_every_service_has_its_turn_each_day() -> None:
    """In the order of their minutes, and each once."""
    services = fleet_of(50)

    turns = [turn.service for turn in in_order(services, NOW + timedelta(days=1))]

    assert sorted(turns) == sorted(services)
    assert turns != sorted(turns)
    assert POLICY.rotation.spread
