"""What the file of a service may not change while it has VMs."""

from __future__ import annotations

from typing import Any

import pytest

from include.placement import moved, placement
from tests.plugins.snowmelt.kit import service

BEFORE = placement(service(firewall={"group": "web_vms"}))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"balancer": {"pool": "shop2", "port": 8080}}, "balancer.pool was shop, and is shop2"),
        ({"balancer": None}, "balancer.pool was shop, and is not there"),
        ({"monitoring": None, "balancer": None}, "connections.monitoring was snowmelt_monitoring"),
        ({"firewall": {"group": "others"}}, "firewall.group was web_vms, and is others"),
        ({"firewall": None}, "firewall.group was web_vms, and is not there"),
        ({"dns": {"zone": "other.test"}}, "dns.zone was lab.test, and is other.test"),
        (
            {"connections": {"opennebula": "one_b"}},
            "connections.opennebula was snowmelt_opennebula",
        ),
    ],
    ids=str,
)
def test_another_place_is_told_with_both(changes: dict[str, Any], told: str) -> None:
    found = moved(BEFORE, placement(service(**{"firewall": {"group": "web_vms"}, **changes})))

    assert any(told in each for each in found)


@pytest.mark.parametrize(
    "changes",
    [{"replicas": 5}, {"balancer": {"pool": "shop", "port": 8443}}, {"release": "9"}],
    ids=str,
)
def test_all_else_may_change(changes: dict[str, Any]) -> None:
    assert moved(placement(service()), placement(service(**changes))) == []


def test_a_firewall_and_monitoring_may_come_later() -> None:
    """The audit lets the VMs in, and takes them into monitoring."""
    bare = placement(service(balancer=None, monitoring=None))

    assert moved(bare, placement(service(balancer=None, firewall={"group": "web_vms"}))) == []


def test_a_balancer_may_not() -> None:
    """VMs outside the pool would go first, as what nobody uses."""
    bare = placement(service(balancer=None))

    assert moved(bare, placement(service()))


def test_where_nobody_has_said_nothing_has_moved() -> None:
    assert moved({}, BEFORE) == []
