"""The proof of a day from what was seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from include.catalogue.fleet import Fleet
from include.fleet import Left, RotationPlan, Turn
from include.planner import SeenVm
from include.proof import GateCount, Run
from include.proof.assemble import FailedRollout, Findings, Stamp, assemble
from include.proof.document import Proof
from tests.include.proof.samples import NOW, vm
from tests.plugins.snowmelt.kit import service

RUN = Run(dag_id="rotate_fleet", run_id="manual__1")


def turn(name: str) -> Turn:
    return Turn(service=name, run_id=f"r-{name}", vms=2, slots=2, cloud="c", open=())


def seen(name: str, vm_id: int) -> SeenVm:
    return SeenVm(
        name=name,
        fqdn=f"{name}.lab.test",
        slot=int(name[-1]),
        rollout="aaaaaaa",
        release="1.0",
        vm_id=vm_id,
        address="198.18.0.1",
        phase="running",
        state="ACTIVE",
        created_at=NOW - timedelta(hours=2),
    )


def made(left: tuple[Left, ...] = (), before: GateCount | None = None, **found: Any) -> Proof:
    services = {name: service(name=name, max_age="24h") for name in ("shop", "wiki")}
    plan = RotationPlan(
        day="2026-11-24",
        began=0,
        ends=1,
        failures=3,
        turns=tuple(turn(name) for name in services),
        left=left,
    )
    stamp = Stamp(run=RUN, now=NOW, gate_before=before or GateCount())
    return assemble(Fleet(), services, plan, Findings(**{"states": {}, **found}), stamp)


def test_each_service_has_its_outcome() -> None:
    found = made(
        states={"shop": "failed"},
        failed={"shop": FailedRollout(why="create_vm: no image", tasks=("canary.create_vm",))},
        held={"wiki": "the failure budget is spent"},
        broken={"mail": "mail.yaml: name: is missing"},
        left=(Left(service="old", kind="empty", reason="it has no VM", owner="o"),),
    )

    told = [(s.name, s.state, s.reason, s.run is not None) for s in found.services]
    assert told == [
        ("mail", "failed", "mail.yaml: name: is missing", False),
        ("old", "left out", "it has no VM", False),
        ("shop", "failed", "create_vm: no image", True),
        ("wiki", "not started", "the failure budget is spent", False),
    ]
    assert len(found.objections) == 3


def test_evidence_is_taken_for_the_very_vm_only() -> None:
    """A VM of the same name and another id was made by somebody else."""
    names = ("shop-aaaaaaa-0", "shop-aaaaaaa-1")
    found = made(
        states={"shop": "success", "wiki": "success"},
        vms={"shop": [seen(names[0], 7), seen(names[1], 99)]},
        evidence={name: vm(name, vm_id=7 + n, max_age_s=1) for n, name in enumerate(names)},
    )

    first, second = found.vms
    assert (first.vm_id, first.max_age_s) == (7, 86400)
    assert first.puppet is not None
    assert (second.vm_id, second.run, second.puppet) == (99, None, None)
    assert found.objections == (
        "shop-aaaaaaa-1 has no evidence: no rollout of ours tells how it was made",
    )


def test_exceptions_stand_with_reason_owner_and_expiry() -> None:
    left = Left(service="shop", kind="blackout", reason="sale", owner="web", until="2026-11-28")
    (told,) = made(left=(left,)).exceptions

    assert (told.kind, told.reason, told.owner, told.expires) == (
        "blackout",
        "sale",
        "web",
        "2026-11-28",
    )


def test_a_gate_that_said_no_to_a_rotation_is_counted() -> None:
    found = made(
        states={"shop": "failed", "wiki": "success"},
        failed={"shop": FailedRollout(why="w", tasks=("watch_canary",))},
        before=GateCount(asked=10, said_no=1),
    )

    assert found.gate.today == GateCount(asked=2, said_no=1)
    assert found.gate.in_all == GateCount(asked=12, said_no=2)
    assert found.gate.services == ("shop",)


def test_a_rotation_that_never_got_to_the_gate_says_nothing_about_it() -> None:
    found = made(
        states={"shop": "failed", "wiki": "queued"},
        failed={"shop": FailedRollout(why="w", tasks=("others.create_vm",))},
    )

    assert found.gate.today == GateCount(asked=0, said_no=0)
