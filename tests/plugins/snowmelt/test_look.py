"""Look at all that is known of a service: one call for each list."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snowmelt.errors import Unreachable
from snowmelt.look import facts, look, look_at_one, look_at_pool
from tests.plugins.snowmelt.kit import OLD, service, serving, spec, two_old
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


def test_ten_vms_cost_as_many_calls_as_one(world: FakeWorld) -> None:
    serving(world, NAME)
    world.calls.clear()
    look(service())
    one = world.calls.copy()
    for slot in range(1, 10):
        serving(world, f"shop-{OLD}-{slot}")
    world.calls.clear()

    assert len(look(service()).vms) == 10
    assert world.calls == one
    assert set(one.values()) == {1}


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
    "verb", ["vms_named", "certificates", "addresses", "hosts", "members", "entries"]
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
    look(service(connections=CONNECTIONS, **GUARDED))

    assert set(world.conn_ids.values()) == set(CONNECTIONS.values()) - {"eu_puppetdb"}
