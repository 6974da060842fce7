"""An audit of the fleet on the cloud in memory: what is found, and what is remembered."""

from __future__ import annotations

import pytest

from include.audit import Memory
from tests.plugins.snowmelt.auditing import (
    FIRST,
    FQDN,
    GONE,
    audit,
    catalogue,
    leave_node,
    leave_traces,
    repair,
    things,
)
from tests.plugins.snowmelt.kit import OLD, two_old
from tests.plugins.snowmelt.world import FakeWorld

__all__ = ["catalogue"]
pytestmark = pytest.mark.usefixtures("catalogue")


def test_a_fleet_that_is_well_has_no_findings(world: FakeWorld) -> None:
    two_old(world)

    assert audit() == {"findings": [], "total": 0, "question": "", "heal": {}, "broken": []}
    assert repair() == []


def test_a_look_reads_each_list_once_and_changes_nothing(world: FakeWorld) -> None:
    two_old(world)
    leave_traces(world)
    before = world.everything()
    world.calls.clear()
    audit(repair=False)

    assert world.everything() == before
    assert world.calls["addresses"] == 2  # one zone forward, one reverse
    lists = [
        *("vms", "held_leases", "images", "templates"),
        *("certificates", "nodes", "inventory", "members_of"),
    ]
    assert {name: world.calls[name] for name in lists} == dict.fromkeys(lists, 1)


def test_one_orphan_of_each_kind_is_found(world: FakeWorld) -> None:
    two_old(world)
    leave_traces(world)

    assert things(audit()) == {
        f"balancer: member {GONE} of pool shop",
        f"monitoring: host {FQDN}",
        f"Puppet CA: certificate of {FQDN}",
        "Puppet CA: request of shop-q2w4e7r-1.lab.test",
        f"PuppetDB: node {FQDN}",
        "DNS: shop-q2w4e7r-2.lab.test = 198.18.0.202",
        "DNS: shop-q2w4e7r-3.lab.test = 198.18.0.203",
        "DNS: shop-q2w4e7r-4.lab.test = 198.18.0.204",
        "OpenNebula: VM 2 shop-h2ld4e7-0",
        f"OpenNebula: VM 3 {FIRST}",
    }


def test_the_memory_is_kept_from_audit_to_audit(world: FakeWorld) -> None:
    leave_node(world)
    audit()
    world.clock.pass_s(3600)
    audit()

    assert isinstance(world.audits[-1], Memory)
    assert world.audits[-1].known == {f"shop-{OLD}", "shop-q2w4e7r"}
    assert [f["seen_for_s"] for f in audit()["findings"]] == [3600]
