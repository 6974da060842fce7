"""What tests of an audit share: its tasks, what is left of VMs, and what people made."""

from __future__ import annotations

from typing import Any

import pytest

from include.audit import Memory
from include.catalogue import Service
from include.facts import CertificateRequest
from include.inventory import Lease
from snowmelt.operators.audit import AuditFleet
from snowmelt.operators.heal import HealFleet
from snowmelt.operators.repair import RepairFleet
from tests.plugins.snowmelt.kit import OLD, Ti, context, service, spec, two_old
from tests.plugins.snowmelt.world import FakeCertificate, FakeHost, FakeMember, FakeWorld

GONE = "shop-q2w4e7r-0"
FQDN = f"{GONE}.lab.test"
FIRST, SECOND = f"shop-{OLD}-0", f"shop-{OLD}-1"


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> dict[str, Service]:
    """Let the catalogue hold `shop` alone."""
    services = {"shop": service()}
    monkeypatch.setattr("snowmelt.operators.audit.known_services", lambda: services)
    return services


def asked(ti: Ti | None = None, **params: Any) -> Any:
    given = {"repair": True, "services": None, "grace": 0, "max_down": 100, **params}
    return context(ti or Ti(dag_id="audit_fleet", run_id="manual__7"), **given)


def audit(**params: Any) -> dict[str, Any]:
    return AuditFleet(task_id="audit").execute(asked(**params))


def repair(**params: Any) -> list[str]:
    return RepairFleet(task_id="repair").execute(asked(**params))


def heal(found: dict[str, Any] | None = None, **params: Any) -> list[str]:
    """Heal what an audit has *found*; None: one that looks now."""
    broken = (found or audit(**params))["broken"]
    return HealFleet(task_id="heal", broken=broken).execute(asked(**params))


def know(world: FakeWorld, *rollouts: str) -> None:
    """Let an audit of an hour ago have seen VMs of these rollouts alive."""
    world.audits.append(Memory(rollouts=dict.fromkeys(rollouts, world.clock.now - 3600)))


def leave_node(world: FakeWorld) -> None:
    """Leave PuppetDB one node more than two VMs have, of a rollout that an audit has seen."""
    two_old(world)
    know(world, GONE.rpartition("-")[0])
    world.nodes.add(FQDN)


def things(found: dict[str, Any], *, safe: bool = True) -> set[str]:
    return {f"{f['system']}: {f['thing']}" for f in found["findings"] if f["safe"] == safe}


def leave_traces(world: FakeWorld) -> None:
    """Leave one orphan of each kind. One has our mark in monitoring, so the others are ours too."""
    world.certificates[FQDN] = FakeCertificate(state="signed", key="k", signed_at=0, ttl_s=9)
    world.requests["shop-q2w4e7r-1.lab.test"] = CertificateRequest(
        certname="shop-q2w4e7r-1.lab.test",
        common_name="",
        alt_names=(),
        token=None,
        extensions=(),
        public_key="",
    )
    world.nodes.add(FQDN)
    world.names["shop-q2w4e7r-2.lab.test"] = ("198.18.0.202", 60)
    world.names["shop-q2w4e7r-3.lab.test"] = ("198.18.0.203", 60)
    world.unpointed.add("shop-q2w4e7r-3.lab.test")
    world.pointers["198.18.0.204"] = "shop-q2w4e7r-4.lab.test"
    world.hosts[FQDN] = FakeHost(
        address="198.18.0.200", template="m", variables={"snowmelt_service": "shop"}
    )
    world.pools["shop"][GONE] = FakeMember(address="198.18.0.200", port=8080)
    world.add_vm(spec("shop-h2ld4e7-0", "1.0"))
    world.add_vm(spec(FIRST, "1.0"))


def make_by_hand(world: FakeWorld) -> None:
    """Let people have things of their own next to ours."""
    world.names["www.lab.test"] = ("198.18.0.80", 60)
    world.names["shop-staging-0.lab.test"] = ("198.18.0.81", 60)
    world.names["shop-worker2-0.lab.test"] = ("198.18.0.83", 60)
    for name in ("puppet.lab.test", "shop-worker2-0.lab.test"):
        world.certificates[name] = FakeCertificate(state="signed", key="p", signed_at=0, ttl_s=9)
    world.hosts["db.lab.test"] = FakeHost(address="198.18.0.9", template="m", variables={})
    world.nodes.add("db.lab.test")
    world.pools["shop"]["static"] = FakeMember(address="198.18.0.82", port=80)
    world.leases.append(Lease(network="lab", address="198.18.0.150"))


def by_hand(world: FakeWorld) -> list[Any]:
    return [
        world.names.get("www.lab.test"),
        world.names.get("shop-staging-0.lab.test"),
        world.names.get("shop-worker2-0.lab.test"),
        world.certificates.get("puppet.lab.test"),
        world.certificates.get("shop-worker2-0.lab.test"),
        world.hosts.get("db.lab.test"),
        "db.lab.test" in world.nodes,
        world.pools["shop"].get("static"),
    ]
