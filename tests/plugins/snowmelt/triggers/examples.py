"""One example of each trigger, for the tests that hold for all of them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from include.fleet import RotationPlan, Turn
from include.planner import NewVm, Pair, Plan
from snowmelt.triggers.base import PauseTrigger, WaitTrigger
from snowmelt.triggers.cloud import AllVmsGoneTrigger, VmGoneTrigger, VmRunningTrigger
from snowmelt.triggers.dag_runs import RolloutTrigger
from snowmelt.triggers.fleet import RotationTrigger
from snowmelt.triggers.image import ImageReadyTrigger, ImagesGoneTrigger
from snowmelt.triggers.monitoring import HealthyTrigger
from snowmelt.triggers.puppet import CertificateAskedTrigger, GoodReportTrigger
from snowmelt.triggers.traffic import (
    AllDrainedTrigger,
    DrainedTrigger,
    MayDrainTrigger,
    ServingTrigger,
    WatchTrigger,
)
from snowmelt.triggers.turn import MyTurnTrigger
from tests.plugins.snowmelt.kit import OLD, service

NAME = f"shop-{OLD}-0"
FQDN = f"{NAME}.lab.test"
PEERS = [FQDN, f"shop-{OLD}-1.lab.test"]
_CLOUD: dict[str, Any] = {"conn_id": "c", "name": NAME, "vm_id": 0}
_AT_IT = {"shop": {"state": "running"}}
_BUDGET = {"services": 1, "vms_above_plan": 9, "vms_waiting": 9, "failures": 3}
_POOL: dict[str, Any] = {"conn_id": "c", "pool": "shop"}


def _plan() -> dict[str, Any]:
    plan = Plan(
        service="shop",
        rollout="bbbbbbb",
        release="1.1",
        replicas=2,
        strategy="blue_green",
        replace="all",
        reason="",
    )
    return plan.to_json()


def _day(began: float) -> dict[str, Any]:
    turn = Turn(
        service="shop", run_id="r", vms=2, slots=2, cloud="c", open=((began, began + 3600),)
    )
    plan = RotationPlan(day="2026-11-24", began=began, ends=began + 3600, failures=3, turns=(turn,))
    return plan.to_json()


def _turn() -> dict[str, Any]:
    """The turn of a new VM for which there is no room."""
    new = NewVm(
        name="shop-bbbbbbb-0",
        fqdn="shop-bbbbbbb-0.lab.test",
        slot=0,
        release="1.1",
        canary=True,
        vm_id=None,
        reason="",
    )
    plan = Plan.from_json(_plan())
    plan = replace(plan, strategy="rolling", new=(new,), pairs=(Pair(new=new.name, old=None),))
    return {
        "service": service(strategy="rolling", surge=0, max_unavailable=1).model_dump(mode="json"),
        "plan": plan.to_json(),
        "name": new.name,
        "dag_id": "rollout_shop",
        "run_id": "manual__1",
        "steps": ["create_vm"],
        "patience_s": 3600.0,
    }


def examples(limit_s: float = 60.0, now: float | None = None) -> list[WaitTrigger]:
    """Return a trigger of each class, with a deadline in *limit_s*."""
    began = time.time() if now is None else now
    end: dict[str, Any] = {"deadline": began + limit_s}
    entry = service().model_dump(mode="json")
    member = {
        "pool": "shop",
        "name": NAME,
        "address": "198.18.0.100",
        "port": 8080,
        "state": "up",
        "since_s": 3600.0,
        "connections": 0,
        "sessions": 0,
        "requests": 180_000,
        "errors": 0,
    }
    return [
        VmRunningTrigger(**_CLOUD, **end),
        VmGoneTrigger(**_CLOUD, **end),
        AllVmsGoneTrigger(conn_id="c", vm_ids=[0], **end),
        ImageReadyTrigger(conn_id="c", name="debian-12", image_id=0, **end),
        ImagesGoneTrigger(conn_id="c", image_ids=[0], **end),
        HealthyTrigger(conn_id="c", fqdn=FQDN, peers=PEERS, **end),
        CertificateAskedTrigger(conn_id="c", certname=FQDN, **end),
        GoodReportTrigger(conn_id="c", certname=FQDN, peers=PEERS, **end),
        ServingTrigger(**_POOL, name=NAME, **end),
        DrainedTrigger(**_POOL, name=NAME, idle_s=10.0, on_deadline="cut", **end),
        AllDrainedTrigger(**_POOL, names=[NAME], idle_s=10.0, **end),
        PauseTrigger(deadline=began + 1),
        RolloutTrigger(dag_id="rollout_shop", run_id="r", until="ended", **end),
        RotationTrigger(plan=_day(began), budget=_BUDGET, standings=_AT_IT, **end),
        MayDrainTrigger(service=entry, plan=_plan(), name=NAME, **end),
        MyTurnTrigger(**_turn(), **end),
        WatchTrigger(
            service=entry, names=[NAME], before=[member], began=began, duration_s=10.0, **end
        ),
    ]
