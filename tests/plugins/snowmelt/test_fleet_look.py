"""Look at the whole fleet: one call for each list, however many services share it."""

from __future__ import annotations

import pytest

from snowmelt.errors import Unreachable
from snowmelt.fleet_look import look_at_fleet
from tests.plugins.snowmelt.fake_images import add_image, add_template
from tests.plugins.snowmelt.kit import OLD, service, serving, two_old
from tests.plugins.snowmelt.world import FakeWorld


def test_ten_services_cost_as_many_calls_as_one(world: FakeWorld) -> None:
    two_old(world)
    look_at_fleet([service()])
    one = world.calls.copy()
    world.calls.clear()
    look_at_fleet([service(name=f"shop{letter}") for letter in "abcdefghij"])

    assert world.calls == one


def test_all_that_is_known_of_a_vm_is_seen(world: FakeWorld) -> None:
    name = f"shop-{OLD}-0"
    vm = serving(world, name)
    facts = look_at_fleet([service()])

    assert [v.name for v in facts.vms["snowmelt_opennebula"]] == [name]
    assert [c.certname for c in facts.certificates["snowmelt_puppet_ca"]] == [f"{name}.lab.test"]
    assert facts.nodes["snowmelt_puppetdb"] == (f"{name}.lab.test",)
    for way in (facts.forward, facts.reverse):
        assert [(a.fqdn, a.address) for a in way["snowmelt_nameserver"]] == [
            (f"{name}.lab.test", vm.address)
        ]
    assert [h.address for h in facts.hosts["snowmelt_monitoring"]] == [vm.address]
    assert [m.name for m in facts.members["snowmelt_balancer"]] == [name]


def test_the_groups_of_all_services_are_read_in_one_call(world: FakeWorld) -> None:
    world.groups = {"web_vms": {"198.18.0.7": "a"}, "db_vms": {"198.18.0.8": "b"}, "other": {}}
    db = service(name="db", firewall={"group": "db_vms"})
    facts = look_at_fleet([service(firewall={"group": "web_vms"}), db, service(name="worker")])

    assert [e.name for e in facts.entries["snowmelt_firewall"]] == ["b", "a"]
    assert world.calls["entries"] == 1


def test_a_group_that_is_missing_hides_none_of_the_others(world: FakeWorld) -> None:
    world.groups = {"web_vms": {"198.18.0.7": "a"}}
    db = service(name="db", firewall={"group": "db_vms"})
    facts = look_at_fleet([service(firewall={"group": "web_vms"}), db])

    assert [e.name for e in facts.entries["snowmelt_firewall"]] == ["a"]
    assert facts.no_groups["snowmelt_firewall"] == {"db_vms": "no set db_vms"}


def test_a_firewall_that_is_away_is_not_one_without_groups(world: FakeWorld) -> None:
    world.groups = {"web_vms": {}}
    world.fail("entries", Unreachable("no route"))

    with pytest.raises(Unreachable):
        look_at_fleet([service(firewall={"group": "web_vms"})])


def test_of_images_those_are_seen_that_are_ours_and_used_by_nothing(world: FakeWorld) -> None:
    for version in ("1", "2"):
        add_image(world, f"debian-12-{version}", family="debian-12", version=version)
    add_image(world, "windows")
    add_template(world, "shop-vm", "debian-12-2")
    (seen,) = look_at_fleet([service()]).images["snowmelt_opennebula"]

    assert seen.name == "debian-12-1"


def test_services_without_balancer_monitoring_and_firewall_ask_none(world: FakeWorld) -> None:
    facts = look_at_fleet([service(balancer=None, monitoring=None)])

    assert not set(world.calls) & {"members_of", "inventory", "entries"}
    assert not facts.members
    assert not facts.hosts


def test_each_connection_is_asked_for_itself(world: FakeWorld) -> None:
    eu = service(name="shopeu", connections={"puppet_ca": "eu_ca"})
    facts = look_at_fleet([service(), eu])

    assert set(facts.certificates) == {"snowmelt_puppet_ca", "eu_ca"}
    assert set(facts.vms) == {"snowmelt_opennebula"}


def test_vms_are_read_after_what_others_know_of_them(world: FakeWorld) -> None:
    """Else the traces of a VM that was made in between would look like orphans."""
    look_at_fleet([service()])

    assert list(world.calls)[-1] == "vms"
