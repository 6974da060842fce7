"""Whose a thing is depends on the system that it stands in."""

from __future__ import annotations

from dataclasses import replace

from include.audit import FleetFacts, find, rollouts, view_services
from tests.include.audit.fleet import CONNS, NOW, ROLLOUT, Fleet, service


def test_what_another_system_of_the_same_kind_knows_is_not_this_service_s() -> None:
    """Two clouds: a certificate at the other CA is no certificate of ours, nor an orphan."""
    fleet = Fleet()
    facts = fleet.facts()
    moved = replace(facts, certificates={"other_ca": facts.certificates[CONNS["puppet_ca"]]})
    found = find(view_services(fleet.services, moved, NOW), moved)

    assert {each.kind for each in found} == {"drift"}
    assert len(found) == 4


def test_an_empty_cloud_with_an_empty_catalogue_is_well() -> None:
    for services in ([], [service()]):
        assert find(view_services(services, FleetFacts(), NOW), FleetFacts()) == ()


def test_only_our_vms_and_hosts_prove_whose_a_rollout_is() -> None:
    """Not a certificate, nor a name: anybody may have made them."""
    fleet = Fleet()
    fleet.add_vm("shop-q2w4e7r-0", "")
    fleet.add_vm("desktop", "shop")
    fleet.know("worker-backup2-0", "blog", "198.18.0.9")
    assert rollouts(fleet.views()) == {f"shop-{ROLLOUT}", f"worker-{ROLLOUT}"}


def test_a_vm_of_another_installation_is_foreign_whatever_its_attributes_say() -> None:
    """It has a service of that name in a zone of its own, and the same account."""
    fleet = Fleet()
    number = fleet.add_vm("shop-q2w4e7r-0", "shop")
    context = {"SET_HOSTNAME": "shop-q2w4e7r-0.prod.test"}
    fleet.vms[number] = replace(fleet.vms[number], context=context)

    (found,) = (f for f in find(fleet.views(), fleet.facts()) if f.name == "shop-q2w4e7r-0")
    assert (found.kind, found.act) == ("foreign", "nothing")
    assert "shop-q2w4e7r" not in rollouts(fleet.views())
