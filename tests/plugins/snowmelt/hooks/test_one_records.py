"""What OpenNebula's answers mean, where the lab's front-end answers nothing of the kind."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from include.inventory import Lease
from snowmelt.hooks.one_records import _addresses, leases

GLOBAL, ULA = "2001:db8::aff:fe00:1", "fd00::aff:fe00:1"


@pytest.mark.parametrize(
    ("nic", "expected"),
    [
        ({"IP": "198.18.0.7", "MAC": "02:00"}, ["198.18.0.7"]),
        ({"IP6": GLOBAL}, [GLOBAL]),
        ({"IP6_LINK": "fe80::1", "IP6_ULA": ULA, "IP6_GLOBAL": GLOBAL}, [GLOBAL, ULA]),
        ({"IP": "198.18.0.7", "IP6_GLOBAL": GLOBAL}, ["198.18.0.7", GLOBAL]),
        ({"MAC": "02:00", "IP6_LINK": "fe80::1"}, []),
    ],
    ids=["IP4", "IP6_STATIC", "IP6", "IP4_6", "ethernet"],
)
def test_a_vm_has_the_addresses_of_its_card_whatever_the_range(
    nic: dict[str, str], expected: list[str]
) -> None:
    """`AddressRange::set_ip6`: only a range of static ones sets IP6."""
    assert list(_addresses({"NIC": nic})) == expected


@pytest.mark.parametrize(
    ("lease", "address"), [({"IP6_GLOBAL": GLOBAL}, GLOBAL), ({}, "02:00")], ids=["IP6", "ethernet"]
)
def test_a_lease_is_told_by_the_address_that_its_vm_has(
    lease: dict[str, str], address: str
) -> None:
    held: Any = SimpleNamespace(VM=7, IP=None, IP6=None, MAC="02:00", **lease)
    area: Any = SimpleNamespace(LEASES=SimpleNamespace(LEASE=[held]))
    network: Any = SimpleNamespace(NAME="v6", AR_POOL=SimpleNamespace(AR=[area]))

    assert list(leases(network)) == [Lease(network="v6", address=address, vm_id=7)]
