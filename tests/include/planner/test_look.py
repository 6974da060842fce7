"""The facts of five systems come together under one VM."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from include.facts import Address, Certificate, CloudVm, Entry
from include.planner import Facts, see
from tests.include.planner.seen import health, member
from tests.include.planner.services import shop

_NAME = "shop-aaaaaaa-1"
_FQDN = f"{_NAME}.lab.test"
_VM = CloudVm(
    vm_id=7,
    name=_NAME,
    phase="running",
    state="ACTIVE/RUNNING",
    created_at=datetime(2026, 5, 1, tzinfo=UTC),
    addresses=("198.18.0.100",),
    attributes={"SNOWMELT_SERVICE": "shop", "SNOWMELT_RELEASE": "1.1"},
)
_CERTIFICATE = Certificate(certname=_FQDN, state="signed", fingerprint="AB")


def test_a_vm_that_all_systems_know_is_seen_whole() -> None:
    """One VM, five systems."""
    facts = Facts(
        vms=[_VM],
        certificates=[_CERTIFICATE],
        addresses=[Address(fqdn=_FQDN, address="198.18.0.100", ttl=60)],
        health=[health(_FQDN)],
        members=[member(_NAME)],
    )

    (seen,) = see(shop(), facts).vms

    assert (seen.slot, seen.rollout, seen.release) == (1, "aaaaaaa", "1.1")
    assert seen.in_dns
    assert seen.enrolled
    assert seen.health == health(_FQDN)
    assert seen.member == member(_NAME)


def test_a_name_that_points_elsewhere_is_not_in_dns() -> None:
    """An address that another VM had before."""
    stale = Address(fqdn=_FQDN, address="198.18.0.101", ttl=60)

    (seen,) = see(shop(), Facts(vms=[_VM], addresses=[stale])).vms

    assert not seen.in_dns


def test_a_revoked_certificate_is_no_enrolment() -> None:
    """After the first irreversible step."""
    revoked = replace(_CERTIFICATE, state="revoked")

    (seen,) = see(shop(), Facts(vms=[_VM], certificates=[revoked])).vms

    assert not seen.enrolled


def test_vms_of_other_services_and_those_that_are_done_are_left_out() -> None:
    """The whole pool may be handed in."""
    other = replace(_VM, name="shop-front-aaaaaaa-1", attributes={"SNOWMELT_SERVICE": "shop-front"})

    found = see(shop(), Facts(vms=[other, replace(_VM, phase="done")]))

    assert found.vms == ()
    assert found.foreign == ()


def test_a_guest_that_wipes_its_attributes_stays_ours() -> None:
    """It can reach them through OneGate, but not its context: else it could escape rotation."""
    context = {"SET_HOSTNAME": _FQDN, "SNOWMELT_RELEASE": "1.0"}
    wiped = replace(_VM, attributes={}, context=context)

    (seen,) = see(shop(), Facts(vms=[wiped])).vms

    assert seen.release == "1.0"


def test_a_vm_under_our_name_without_our_marks_is_foreign_and_in_the_way() -> None:
    """Somebody made it by hand: it is never touched, and a plan is refused."""
    found = see(shop(), Facts(vms=[replace(_VM, attributes={})]))

    assert found.vms == ()
    assert [(vm.vm_id, vm.blocking) for vm in found.foreign] == [(7, True)]


def test_a_vm_of_another_installation_is_foreign_and_not_in_the_way() -> None:
    """The same service, in another zone, in the same account: it has another FQDN everywhere."""
    theirs = replace(_VM, context={"SET_HOSTNAME": f"{_NAME}.other.test"})

    found = see(shop(), Facts(vms=[theirs]))

    assert found.vms == ()
    assert [(vm.vm_id, vm.blocking) for vm in found.foreign] == [(7, False)]
    assert found.foreign[0].why.endswith(f"is {_NAME}.other.test by its context")


def test_a_vm_of_another_zone_that_takes_our_traffic_is_in_the_way() -> None:
    """Somebody changed the zone of a service that runs: new VMs beside it would hide it."""
    moved = replace(_VM, context={"SET_HOSTNAME": f"{_NAME}.before.test"})

    found = see(shop(), Facts(vms=[moved], members=[member(_NAME)]))

    assert [(vm.vm_id, vm.blocking) for vm in found.foreign] == [(7, True)]


@pytest.mark.parametrize("hostname", [_NAME, "other.lab.test"])
def test_a_vm_under_our_name_that_calls_itself_otherwise_is_in_the_way(hostname: str) -> None:
    """Whatever it claims: what we make has its FQDN in its context."""
    found = see(shop(), Facts(vms=[replace(_VM, context={"SET_HOSTNAME": hostname})]))

    assert found.vms == ()
    assert [(vm.vm_id, vm.blocking) for vm in found.foreign] == [(7, True)]


def test_a_vm_that_only_claims_to_be_ours_is_foreign_and_not_in_the_way() -> None:
    """Any guest can set the attribute on itself; that must not stop the service's rollouts."""
    found = see(shop(), Facts(vms=[replace(_VM, name="by-hand")]))

    assert found.vms == ()
    assert [(vm.vm_id, vm.blocking) for vm in found.foreign] == [(7, False)]


def test_a_neighbour_that_claims_to_be_ours_is_its_own_services_matter() -> None:
    """A VM of another service has a name of its own, which no guest can change."""
    assert see(shop(), Facts(vms=[replace(_VM, name="other-aaaaaaa-1")])).foreign == ()


def test_a_vm_is_let_in_when_its_own_address_is_in_the_group_of_its_service() -> None:
    """Where the service has no firewall, nothing keeps anybody out."""
    guarded = shop(firewall={"group": "web_vms"})
    right = Entry(group="web_vms", address="198.18.0.100", name=_FQDN)
    for entry, let_in in (
        (right, True),
        (replace(right, address="198.18.0.101"), False),
        (replace(right, group="db_vms"), False),
        (replace(right, name="somebody"), False),
    ):
        (seen,) = see(guarded, Facts(vms=[_VM], entries=[entry])).vms
        assert seen.let_in is let_in, entry
    (seen,) = see(shop(), Facts(vms=[_VM])).vms
    assert seen.let_in
