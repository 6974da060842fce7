"""Look at all that is known of a service, and read no list of a fleet for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.facts import Scope
from include.planner import Plan
from include.planner.condition import serves
from snowmelt.errors import Unreachable
from snowmelt.look import (
    facts,
    look,
    look_at_one,
    look_at_pool,
    look_at_traffic,
    look_back,
    look_for_way_back,
)
from tests.plugins.snowmelt.kit import NEW, OLD, planned, service, serving, spec, two_old
from tests.plugins.snowmelt.world import FakeWorld

NAME = f"shop-{OLD}-0"
CONNECTIONS = {
    kind: f"eu_{kind}"
    for kind in (
        *("opennebula", "puppet_ca", "puppetdb", "nameserver"),
        *("balancer", "monitoring", "firewall"),
    )
}
GUARDED = {"firewall": {"group": "web_vms"}}


def test_a_whole_vm_is_seen_whole(world: FakeWorld) -> None:
    serving(world, NAME)
    (vm,) = look(service()).vms

    assert (vm.name, vm.release, vm.phase) == (NAME, "1.0", "running")
    assert vm.in_dns
    assert vm.enrolled
    assert vm.health
    assert vm.member
    assert vm.member.state == "up"


def test_who_is_let_in_is_seen(world: FakeWorld) -> None:
    """By a list of the group, also for one VM alone: a firewall has no shorter question."""
    in_, out = serving(world, NAME), serving(world, f"shop-{OLD}-1")
    world.groups["web_vms"][in_.address] = f"{NAME}.lab.test"
    seen = look(service(**GUARDED))

    assert [vm.let_in for vm in seen.vms] == [True, False]
    assert look_at_one(service(**GUARDED), NAME).vms[0].let_in
    assert not look_at_one(service(**GUARDED), out.spec.name).vms[0].let_in


def test_what_any_system_knows_costs_one_call_for_each_list(world: FakeWorld) -> None:
    """Ten VMs cost as many calls as one."""
    serving(world, NAME)
    world.calls.clear()
    facts(service())
    one = world.calls.copy()
    for slot in range(1, 10):
        serving(world, f"shop-{OLD}-{slot}")
    world.calls.clear()

    assert len(facts(service()).vms) == 10
    assert world.calls == one
    assert set(one.values()) == {1}


def test_behind_a_balancer_nobody_else_is_asked_who_serves(world: FakeWorld) -> None:
    """A drain of eight VMs asked the CA and the name server for each of them, each time."""
    serving(world, NAME)
    world.calls.clear()
    (vm,) = look_at_traffic(service()).vms

    assert world.calls == {"vms_named": 1, "members": 1}
    assert serves(service(), vm)


def test_without_a_balancer_all_systems_say_who_serves(world: FakeWorld) -> None:
    serving(world, NAME)
    bare = service(balancer=None)

    assert look_at_traffic(bare) == look(bare)
    assert serves(bare, look_at_traffic(bare).vms[0])


def test_the_way_back_asks_nobody_that_it_does_not_need(world: FakeWorld) -> None:
    """Drained old VMs must not wait for monitoring or a name server."""
    serving(world, NAME)
    world.calls.clear()
    (vm,) = look_for_way_back(service(**GUARDED)).vms

    assert world.calls == {"vms_named": 1, "certificate": 1, "members": 1}
    assert vm.enrolled
    assert vm.member


def test_what_comes_after_the_plan_costs_what_the_service_is(world: FakeWorld) -> None:
    """A list of a large fleet is long, and a CA reads each certificate for it."""
    two_old(world)
    scope = planned(service())["plan"]
    world.calls.clear()
    look(service(), Plan.from_json(scope).scope)
    alone = world.calls.copy()
    for number in range(20):
        serving(world, f"wiki-{OLD}-{number}")
    world.calls.clear()
    look(service(), Plan.from_json(scope).scope)

    assert world.calls == alone
    assert not set(alone) & {"vms", "vm_states", "certificates", "addresses", "hosts"}


def test_a_service_of_very_many_vms_is_read_by_lists(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snowmelt.look.MANY", 2)
    two_old(world)
    serving(world, f"shop-{OLD}-2")
    world.calls.clear()
    many = look(service()).vms

    assert [(vm.in_dns, vm.enrolled) for vm in many] == [(True, True)] * 3
    assert (world.calls["certificates"], world.calls["addresses"]) == (1, 1)
    assert not set(world.calls) & {"certificate", "lookup"}


def test_a_plan_says_where_its_vms_will_be(world: FakeWorld) -> None:
    """Those that were there, and all that come from now on: no other is looked at again."""
    first, second = two_old(world)
    other = serving(world, f"wiki-{OLD}-0")
    plan = Plan.from_json(planned(service())["plan"])
    later = serving(world, f"shop-{NEW}-0")

    assert plan.scope == Scope(
        ids=frozenset({first.vm_id, second.vm_id}), since=max(second.vm_id, other.vm_id) + 1
    )
    assert later.vm_id in {vm.vm_id for vm in look(service(), plan.scope).vms}


def test_looking_back_shows_what_is_left_of_vms_that_went(world: FakeWorld) -> None:
    two_old(world)
    plan = Plan.from_json(planned(service())["plan"])
    world.vms[0].phase = "done"
    found = look_back(service(), plan)

    assert [vm.name for vm in found.vms] == [f"shop-{OLD}-1"]
    gone = f"{NAME}.lab.test"
    assert gone in {certificate.certname for certificate in found.certificates}
    assert gone in {address.fqdn for address in found.addresses}
    assert gone in {health.name for health in found.health}


def test_one_vm_is_seen_alone_and_costs_no_list(world: FakeWorld) -> None:
    """A list of a large fleet is long, and a CA reads each certificate for it."""
    serving(world, NAME)
    serving(world, f"shop-{OLD}-1")
    whole = look(service()).get(NAME)
    world.calls.clear()

    (vm,) = look_at_one(service(), NAME).vms

    assert whole is not None
    assert vm == replace(whole, member=None)
    assert set(world.calls) == {"find", "certificate", "lookup", "health"}


def test_names_and_vms_of_other_services_are_left_out(world: FakeWorld) -> None:
    serving(world, NAME)
    world.add_vm(spec(f"wiki-{OLD}-0", "7"), phase="running")
    world.names[f"wiki-{OLD}-0.lab.test"] = ("198.18.0.9", 60)
    world.names["www.lab.test"] = ("198.18.0.80", 60)
    found = facts(service())

    assert [vm.name for vm in found.vms] == [NAME]
    assert [a.fqdn for a in found.addresses] == [f"{NAME}.lab.test"]


@pytest.mark.parametrize(
    "verb", ["vms_named", "certificate", "lookup", "health", "members", "entries"]
)
def test_a_system_that_does_not_answer_is_not_taken_for_empty(world: FakeWorld, verb: str) -> None:
    two_old(world)
    world.fail(verb, Unreachable("connection refused"))

    with pytest.raises(Unreachable):
        look(service(**GUARDED))


def test_a_service_without_balancer_monitoring_and_firewall_asks_none(world: FakeWorld) -> None:
    serving(world, NAME)
    world.calls.clear()
    bare = service(balancer=None, monitoring=None)
    look(bare)

    assert look_at_pool(bare) == ()
    assert not set(world.calls) & {"members", "hosts", "health", "entries"}


def test_the_connections_of_the_catalogue_entry_are_used(world: FakeWorld) -> None:
    serving(world, NAME)
    look(service(connections=CONNECTIONS, **GUARDED))

    assert set(world.conn_ids.values()) == set(CONNECTIONS.values()) - {"eu_puppetdb"}
