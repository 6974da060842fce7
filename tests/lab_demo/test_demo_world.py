"""Traces of VMs that are gone, and what changed between two looks."""

from __future__ import annotations

import pytest

from lab.demo.probes import record_of
from lab.demo.world import Vm, World, changes, traces, vms_of
from lab.settings import NETNS

OLD = Vm(name="shop-old-0", vm_id=7, address="198.18.0.101", release="1.0",
         fqdn="shop-old-0.lab.test")  # fmt: skip
CLEAN: World = {
    "vms": frozenset({"shop-new-0 id=17 release=1.1 198.18.0.110"}),
    "leases": frozenset({"198.18.0.110 id=17", "198.18.0.10 id=70"}),
    "certificates": frozenset({"shop-new-0.lab.test signed", "airflow.lab.test signed"}),
    "nodes": frozenset({"shop-new-0.lab.test"}),
    "records": frozenset({"www.lab.test A 198.18.0.80"}),
    "monitored": frozenset({"shop-new-0.lab.test 198.18.0.110"}),
    "members": frozenset({"shop shop-new-0 198.18.0.110 UP"}),
    "sticky": frozenset({"shop-new-0"}),
    "machines": frozenset({"disk one-17", f"cgroup snowmelt-{NETNS}-one-17", "cable v00c612006e"}),
}


def test_a_world_without_the_old_vm_has_no_traces() -> None:
    assert traces(CLEAN, [OLD]) == []


@pytest.mark.parametrize(
    ("system", "entry"),
    [
        ("vms", "shop-old-0 id=7 release=1.0 198.18.0.101"),
        ("leases", "198.18.0.101 id=7"),
        ("certificates", "shop-old-0.lab.test requested"),
        ("nodes", "shop-old-0.lab.test"),
        ("records", "shop-old-0.lab.test A 198.18.0.101"),
        ("records", "101.0.18.198.in-addr.arpa PTR shop-old-0.lab.test"),
        ("monitored", "shop-old-0.lab.test 198.18.0.101"),
        ("members", "shop shop-old-0 198.18.0.101 MAINT"),
        ("sticky", "shop-old-0"),
        ("machines", "disk one-7"),
        ("machines", f"cgroup snowmelt-{NETNS}-one-7"),
        ("machines", "cable v00c6120065"),
    ],
)
def test_each_system_can_betray_an_old_vm(system: str, entry: str) -> None:
    world = CLEAN | {system: CLEAN[system] | {entry}}

    assert traces(world, [OLD]) == [f"{system}: {entry}"]


def test_no_old_vms_leave_no_traces() -> None:
    assert traces(CLEAN, []) == []


def test_only_the_service_s_own_vms_are_its_vms() -> None:
    world: World = {"vms": frozenset({
        "shop-old-0 id=7 release=1.0 198.18.0.101", "shopping-x-0 id=8 release=1.0 198.18.0.102",
        "by-hand id=9 release=None", "shop-held-1 id=10 release=1.1"})}  # fmt: skip

    held, old = vms_of(world, "shop")

    assert old == OLD
    assert (held.name, held.vm_id) == ("shop-held-1", 10)


def test_changes_name_the_system_and_leave_sessions_out() -> None:
    after = CLEAN | {"nodes": frozenset({"x.lab.test"}), "sticky": frozenset()}

    assert changes(CLEAN, CLEAN) == []
    assert changes(CLEAN, after) == ["- nodes: shop-new-0.lab.test", "+ nodes: x.lab.test"]


def test_a_record_is_compared_without_its_ttl() -> None:
    assert record_of("a.lab.test. 30 IN A 198.18.0.9") == "a.lab.test A 198.18.0.9"
    assert record_of("9.0.18.198.in-addr.arpa. 30 IN PTR a.lab.test.") == (
        "9.0.18.198.in-addr.arpa PTR a.lab.test"
    )
