"""What makes a day a bad one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.planner import SeenVm
from include.proof import ExceptionProof, ServiceProof, objections
from include.proof.judge import blind, nothing_shown
from tests.include.proof.samples import NOW, vm
from tests.include.proof.test_assemble import seen
from tests.plugins.snowmelt.kit import service

GOOD = (ServiceProof(name="shop", state="rotated"), ServiceProof(name="wiki", state="left out"))
OLD = vm(rebuilt=NOW - timedelta(hours=25))


def test_a_day_on_which_all_was_rebuilt_is_good() -> None:
    assert objections(GOOD, [vm()], [], NOW) == ()


def test_a_vm_older_than_its_service_allows_is_named() -> None:
    assert objections(GOOD, [OLD], [], NOW) == ("shop-aaaaaaa-0 is 25.0 h old, allowed are 24.0 h",)


def test_a_service_with_an_exception_may_be_old() -> None:
    told = ExceptionProof(service="shop", kind="exception", reason="r", owner="o", expires="")

    assert objections(GOOD, [OLD, vm(run=None)], [told], NOW) == ()


def test_a_service_that_was_not_rotated_is_named_with_the_reason() -> None:
    services = (
        ServiceProof(name="a", state="failed", reason="create_vm: no such image"),
        ServiceProof(name="b", state="not started", reason="the failure budget is spent"),
        ServiceProof(name="c", state="still running"),
    )

    assert objections(services, [], [], NOW) == (
        "a: failed: create_vm: no such image",
        "b: not started: the failure budget is spent",
        "c: still running",
    )


def test_a_vm_without_evidence_is_named_unless_a_rollout_is_at_it() -> None:
    (told,) = objections(GOOD, [vm(run=None)], [], NOW)

    assert told.startswith("shop-aaaaaaa-0 has no evidence")
    assert objections(GOOD, [vm(run=None)], [], NOW, busy=["shop"]) == ()


CLOUD = "snowmelt_opennebula"


def shown(
    vms: dict[str, list[SeenVm]], excepted: tuple[str, ...] = (), **changes: Any
) -> tuple[str, ...]:
    """Return the objections to what one OpenNebula shows of its services."""
    services = {name: service(name=name, **changes) for name in vms}
    told = [
        ExceptionProof(service=name, kind="exception", reason="r", owner="o", expires="")
        for name in excepted
    ]
    return tuple(nothing_shown(services, vms, told, NOW))


def test_an_opennebula_that_shows_no_vm_at_all_makes_the_day_a_bad_one() -> None:
    """An account that lost its rights gets an empty list and no error."""
    (told,) = shown({"shop": [], "wiki": []})

    assert told.startswith(f"{CLOUD} shows no VM at all, also none of shop, wiki: may its account")


def test_a_service_that_was_retired_by_the_form_is_no_objection_while_others_have_vms() -> None:
    """Its file may say that it wants some: that does not make every day a bad one."""
    assert shown({"shop": [], "wiki": [seen("wiki-aaaaaaa-0", 7)]}) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"replicas": 0},
        {"expires_at": NOW - timedelta(hours=1)},
    ],
)
def test_an_opennebula_whose_services_want_no_vm_may_show_none(changes: dict[str, Any]) -> None:
    assert shown({"shop": []}, **changes) == ()
    assert len(shown({"shop": []}, expires_at=NOW + timedelta(hours=1))) == 1


def test_a_service_with_an_exception_may_show_no_vm() -> None:
    assert shown({"shop": []}, excepted=("shop",)) == ()
    assert "none of wiki:" in shown({"shop": [], "wiki": []}, excepted=("shop",))[0]


def test_each_opennebula_is_judged_by_itself() -> None:
    """One that could not be looked at shows nothing, and is told as such elsewhere."""
    clouds = {"shop": "east", "wiki": "west", "mail": "south"}
    services = {n: service(name=n, connections={"opennebula": c}) for n, c in clouds.items()}

    assert blind(services, {"shop": [], "wiki": [seen("wiki-aaaaaaa-0", 7)]}) == {"east": ["shop"]}
