"""In which order VMs come and go when there is little room."""

from __future__ import annotations

from typing import Any

from include.planner import Plan
from include.planner.pairs import window
from tests.include.planner.seen import NEW, OLD, member, planned, seen, vm
from tests.include.planner.services import shop


def _plan(*vms: Any, surge: int = 1, may_miss: int = 0, **wanted: Any) -> Plan:
    service = shop(replicas=len(vms), strategy="rolling", surge=surge, max_unavailable=may_miss)
    return planned(service, seen(*vms), **{"release": "1.1", **wanted})


def _told(plan: Plan) -> list[str]:
    """Return the pairs by slot: "+0 -0" is a replacement, "-1" a VM that only goes."""
    olds = {old.vm_id: old for old in plan.old}
    new = [f"+{p.new[-1]}" if p.new else "" for p in plan.pairs]
    old = [f"-{olds[p.old].slot}" if p.old is not None else "" for p in plan.pairs]
    return [" ".join(filter(None, both)) for both in zip(new, old, strict=True)]


def test_with_room_each_new_vm_comes_before_its_old_one_goes() -> None:
    """The window is the surge."""
    assert _told(_plan(vm(0), vm(1), vm(2))) == ["+0 -0", "+1 -1", "+2 -2"]


def test_without_surge_as_many_go_first_as_may_be_missing() -> None:
    """Their places wander through the service."""
    plan = _plan(*(vm(slot) for slot in range(4)), surge=0, may_miss=2)

    assert _told(plan) == ["-0", "-1", "+0 -2", "+1 -3", "+2", "+3"]


def test_a_vm_that_does_not_serve_goes_with_the_first_new_one() -> None:
    """Else nobody could go: too few serve as it is."""
    down = vm(2, member=member(f"shop-{OLD}-2", state="down"))

    assert _told(_plan(vm(0), vm(1), down)) == ["+0 -2", "+1 -0", "+2 -1"]


def test_a_service_that_grows_only_has_new_ones() -> None:
    """What is kept is in no pair."""
    assert _told(_plan(vm(0), vm(1), vm(2), replicas=5, replace="none", release="1.0")) == [
        "+3",
        "+4",
    ]


def test_a_service_that_shrinks_only_has_old_ones() -> None:
    """They go in turn as well."""
    plan = _plan(vm(0), vm(1), vm(2), replicas=2, replace="none", release="1.0")

    assert _told(plan) == ["-2"]


def test_a_run_that_goes_on_does_not_replace_for_a_vm_that_was_replaced_before() -> None:
    """Slot 0 is whole: its new VM sets no old one free."""
    done = vm(0, NEW, release="1.1")

    assert _told(_plan(done, vm(1), vm(2))) == ["+1 -1", "+2 -2"]


def test_where_nobody_is_served_all_come_at_once() -> None:
    """The first deployment has nobody to protect."""
    service = shop(strategy="rolling", surge=1)

    assert window(service, planned(service, seen())) == 2
    assert window(service, planned(service, seen(vm(0), vm(1)))) == 1
