"""The proof of a day from what was seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import pytest

from include.catalogue.fleet import Fleet
from include.fleet import Left, RotationPlan, Turn
from include.planner import SeenVm, rollout_id
from include.proof import GateCount, Run
from include.proof.assemble import Stamp, assemble
from include.proof.document import ExceptionProof, Proof
from include.proof.findings import FailedRollout, Findings, Try
from include.proof.link import Link
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


DONE = Try(run_id="r", state="success")
QUEUED = Try(run_id="r", state="queued")


def failed(*tasks: str, why: str = "w") -> Try:
    return Try(run_id="r", state="failed", failed=FailedRollout(why=why, tasks=tasks))


def made(
    left: tuple[Left, ...] = (),
    before: GateCount | None = None,
    others: tuple[str, ...] = (),
    earlier: tuple[ExceptionProof, ...] = (),
    **found: Any,
) -> Proof:
    services = {name: service(name=name, max_age="24h") for name in ("shop", "wiki")}
    plan = RotationPlan(
        day="2026-11-24",
        began=0,
        ends=1,
        failures=3,
        turns=tuple(turn(name) for name in services),
        others=tuple(turn(name) for name in others),
        left=left,
    )
    stamp = Stamp(run=RUN, now=NOW, link=Link(gate=before or GateCount()), earlier=earlier)
    return assemble(Fleet(), services, plan, Findings(**found), stamp)


def test_each_service_has_its_outcome() -> None:
    found = made(
        tries={"shop": [failed("canary.create_vm", why="create_vm: no image")]},
        held={"wiki": "the failure budget is spent"},
        unknown={"mail": "mail.yaml: name: is missing"},
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
        tries={"shop": [DONE], "wiki": [DONE]},
        vms={"shop": [seen(names[0], 7), seen(names[1], 99)]},
        evidence={name: vm(name, vm_id=7 + n, max_age_s=1) for n, name in enumerate(names)},
    )

    first, second = found.vms
    assert (first.vm_id, first.max_age_s) == (7, 86400)
    assert first.puppet is not None
    assert (second.vm_id, second.run, second.puppet) == (99, None, None)
    assert found.objections == (
        "shop-aaaaaaa-1 has no evidence: no rollout of ours got to `verify` with it",
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
        tries={"shop": [failed("watch_canary")], "wiki": [DONE]},
        before=GateCount(asked=10, said_no=1),
    )

    assert found.gate.today == GateCount(asked=2, said_no=1)
    assert found.gate.in_all == GateCount(asked=12, said_no=2)
    assert found.gate.services == ("shop",)


def test_a_rotation_that_never_got_to_the_gate_says_nothing_about_it() -> None:
    found = made(
        tries={"shop": [failed("others.create_vm")], "wiki": [QUEUED]},
    )

    assert found.gate.today == GateCount(asked=0, said_no=0)


def test_all_tries_of_a_day_count_for_the_gate_and_the_last_for_the_service() -> None:
    """A later try that goes well shows that the gate was wrong: just then it must not vanish."""
    second = Try(run_id="r-shop__2", state="success")
    found = made(tries={"shop": [failed("watch", why="5 % errors"), second], "wiki": [DONE]})

    shop = found.services[0]
    assert (shop.state, shop.reason) == ("rotated", "not at once: 5 % errors")
    assert shop.run == Run(dag_id="rollout_shop", run_id="r-shop__2")
    assert (found.gate.today, found.gate.services) == (GateCount(asked=3, said_no=1), ("shop",))
    assert found.objections == ()


def test_a_service_that_failed_twice_tells_both_reasons() -> None:
    """The second may be another one."""
    found = made(tries={"shop": [failed(why="no image"), failed(why="no room")]})

    assert found.services[0].reason == "no image; then again: no room"


def test_services_that_a_run_was_not_asked_for_stay_in_the_proof_of_the_day() -> None:
    """Those that had their rotation, and those that an earlier proof of the day told of."""
    found = made(
        others=("ledger", "mail", "never"),
        tries={"shop": [DONE], "wiki": [DONE], "ledger": [failed(why="no image")]},
        held={"mail": "the failure budget is spent"},
    )

    states = {s.name: (s.state, s.reason) for s in found.services if s.state != "rotated"}
    assert states == {
        "ledger": ("failed", "no image"),
        "mail": ("not started", "the failure budget is spent"),
    }


def test_a_service_whose_file_broke_after_its_rotation_is_there_once() -> None:
    """It was rotated, whatever its file says by now; that its VMs are missing is no good day."""
    found = made(tries={"shop": [DONE], "wiki": [DONE]}, unknown={"shop": "shop.yaml: line 1"})

    assert [(s.name, s.state) for s in found.services] == [("shop", "rotated"), ("wiki", "rotated")]
    assert found.objections == ("shop: its VMs are missing here: shop.yaml: line 1",)


@pytest.mark.parametrize(
    ("kind", "tries", "held", "state"),
    [
        ("closed", [DONE], {}, "rotated"),
        ("closed", [], {}, "left out"),
        ("closed", [], {"old": "the failure budget is spent"}, "not started"),
        ("blackout", [DONE], {}, "rotated"),
        ("empty", [], {"old": "paused"}, "left out"),
        ("exception", [DONE], {}, "left out"),
    ],
)
def test_a_later_run_of_the_day_that_has_no_turn_for_a_service_forgets_nothing(
    kind: Literal["closed", "blackout", "empty", "exception"],
    tries: list[Try],
    held: dict[str, str],
    state: str,
) -> None:
    """Its window was open in the night, and is not in the morning."""
    left = (Left(service="old", kind=kind, reason="r", owner="o"),)
    found = made(left, tries={"shop": [DONE], "wiki": [DONE], "old": tries}, held=held)

    assert [s.state for s in found.services if s.name == "old"] == [state]


def test_a_failed_rotation_stays_failed_when_its_window_is_over() -> None:
    """A gate that said no is counted, and the day stays a bad one."""
    left = (Left(service="old", kind="closed", reason="r", owner="o"),)
    found = made(left, tries={"shop": [DONE], "wiki": [DONE], "old": [failed("watch_canary")]})

    assert found.objections == ("old: failed: w",)
    assert found.gate.today == GateCount(asked=3, said_no=1)


def test_a_rollout_that_failed_at_its_end_is_named_for_the_vms_that_it_made() -> None:
    """One old VM could not be terminated: that says nothing against the new ones."""
    run_id = "rotation__2026-11-24__shop"
    name = f"shop-{rollout_id('rollout_shop', run_id)}-0"
    late = Try(run_id=run_id, state="failed", failed=FailedRollout(why="w", tasks=("t",)))
    found = made(
        tries={"shop": [late], "wiki": [DONE]}, vms={"shop": [seen(name, 7), seen("shop-x-1", 8)]}
    )

    assert found.objections[1:] == (
        f"{name} has no evidence: {run_id} made it and did not get to `verify`",
        "shop-x-1 has no evidence: no rollout of ours got to `verify` with it",
    )


DONE_ALL = {"shop": [DONE], "wiki": [DONE]}


def earlier(name: str) -> ExceptionProof:
    return ExceptionProof(
        service=name, kind="blackout", reason="sale", owner="o", expires="2026-11-25"
    )


def test_an_exception_of_the_night_holds_in_the_proof_of_a_later_run_of_the_day() -> None:
    """Its blackout is over by the afternoon, and so is its window: its VMs are still excused."""
    left = (Left(service="old", kind="closed", reason="r", owner="o"),)
    found = made(left, others=("mail",), earlier=(earlier("old"), earlier("mail")), tries=DONE_ALL)

    assert [e.service for e in found.exceptions] == ["old", "mail"]


@pytest.mark.parametrize("tries", [{}, {"old": [QUEUED]}])
def test_an_exception_of_the_night_is_over_with_the_services_turn(
    tries: dict[str, list[Try]],
) -> None:
    """It has one in this run, or was rotated since."""
    left = (Left(service="old", kind="closed", reason="r", owner="o"),) if tries else ()
    name = "old" if tries else "shop"
    found = made(left, earlier=(earlier(name),), tries={**DONE_ALL, **tries})

    assert found.exceptions == ()


def test_an_exception_that_still_holds_stands_once() -> None:
    left = (Left(service="old", kind="blackout", reason="now", owner="o", until="2026-11-26"),)
    found = made(left, earlier=(earlier("old"),), tries=DONE_ALL)

    assert [(e.service, e.reason) for e in found.exceptions] == [("old", "now")]


def test_a_day_on_which_opennebula_shows_no_vm_is_no_good_one() -> None:
    found = made(tries=DONE_ALL, vms={"shop": [], "wiki": []})

    (told,) = found.objections
    assert "shows no VM at all, also none of shop, wiki" in told
