"""The faults of a VM, by name."""

from __future__ import annotations

from typing import Any

import pytest

from include.planner.condition import faults
from tests.include.planner.seen import health, member, vm
from tests.include.planner.services import shop

_NAME = "shop-aaaaaaa-0"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"phase": "failed", "state": "ACTIVE/BOOT_FAILURE", "message": "no such image"},
            "OpenNebula says ACTIVE/BOOT_FAILURE (no such image)",
        ),
        ({"in_dns": False}, "is not in DNS"),
        ({"enrolled": False}, "has no signed certificate"),
        ({"let_in": False}, "is not let in by the firewall"),
        ({"health": None}, "is not monitored"),
        ({"health": health("", "critical")}, "monitoring finds app critical"),
        ({"member": None}, "is not in pool shop"),
        ({"member": member(_NAME, state="down")}, "is down in pool shop"),
    ],
)
def test_a_vm_with_one_fault_says_which(changes: dict[str, Any], fault: str) -> None:
    """It is the reason in the plan that replaces the VM."""
    assert faults(shop(), vm(0, **changes)) == (fault,)


@pytest.mark.parametrize("state", ["ok", "warning", "unknown", "pending"])
def test_what_is_not_critical_is_no_fault(state: str) -> None:
    """A check that has not run yet must not have its VM replaced."""
    assert faults(shop(), vm(0, health=health("", state))) == ()


def test_a_service_without_monitoring_and_balancer_needs_neither() -> None:
    """Faults are measured by what the catalogue asks for."""
    bare = shop(monitoring=None, balancer=None)

    assert faults(bare, vm(0, health=None, member=None)) == ()
