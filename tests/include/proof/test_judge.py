"""What makes a day a bad one."""

from __future__ import annotations

from datetime import timedelta

from include.proof import ExceptionProof, ServiceProof, objections
from tests.include.proof.samples import NOW, vm

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
