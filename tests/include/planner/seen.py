"""Seen values for one test, whole unless it says otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from include.catalogue import Service
from include.facts import CheckResult, HostHealth, Member
from include.planner import KeptVm, NewVm, Plan, Seen, SeenVm, Wanted, plan_rollout

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OLD, NEW = "aaaaaaa", "bbbbbbb"


def member(name: str, **changes: Any) -> Member:
    """Return a member that is up for ten minutes."""
    up = Member(
        pool="shop",
        name=name,
        address="198.18.0.100",
        port=8080,
        state="up",
        since_s=600,
        connections=0,
        sessions=0,
        requests=1000,
        errors=0,
    )
    return replace(up, **changes)


def health(fqdn: str, state: Any = "ok") -> HostHealth:
    """Return what monitoring says of a VM with one check in *state*."""
    ping = CheckResult(name="ping", state="ok", output="", checked_at=NOW)
    app = CheckResult(name="app", state=state, output=f"it is {state}", checked_at=NOW)
    return HostHealth(name=fqdn, address="198.18.0.100", host=ping, checks=(app,))


def vm(slot: int, rollout: str = OLD, **changes: Any) -> SeenVm:
    """Return a whole VM of release 1.0, one hour old."""
    name = f"shop-{rollout}-{slot}"
    whole = SeenVm(
        name=name,
        fqdn=f"{name}.lab.test",
        slot=slot,
        rollout=rollout,
        release="1.0",
        vm_id=slot + (10 if rollout == OLD else 20),
        address="198.18.0.100",
        phase="running",
        state="ACTIVE/RUNNING",
        created_at=NOW - timedelta(hours=1),
        in_dns=True,
        enrolled=True,
        health=health(f"{name}.lab.test"),
        member=member(name),
    )
    return replace(whole, **changes)


def seen(*vms: SeenVm, **changes: Any) -> Seen:
    """Return these VMs as all that is seen."""
    return Seen(vms=vms, **changes)


def planned(service: Service, look: Seen, **wanted: Any) -> Plan:
    """Return the plan of rollout `NEW`."""
    return plan_rollout(service, Wanted(**wanted), look, NEW, NOW)


def names(vms: Iterable[NewVm | KeptVm]) -> list[str]:
    """Return the names of VMs of a plan."""
    return [each.name for each in vms]
