"""A plan travels from task to task as JSON and comes out as it went in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.planner import Plan, Wanted
from tests.include.planner.seen import planned, seen, vm
from tests.include.planner.services import shop

_FULL = planned(
    shop(),
    seen(vm(0), vm(1, release="0.9"), vm(2, "ccccccc", member=None, enrolled=False, vm_id=30)),
    release="1.0",
    replace="outdated",
)


def test_a_plan_comes_back_from_json_as_it_was() -> None:
    """With a VM in each of its lots."""
    assert all((_FULL.new, _FULL.leftovers, _FULL.old, _FULL.kept))
    assert Plan.from_json(json.loads(json.dumps(_FULL.to_json()))) == _FULL


@pytest.mark.parametrize("lot", ["new", "leftovers", "old", "kept"])
def test_each_vm_of_a_plan_travels_alone_too(lot: str) -> None:
    """A mapped task gets one of them."""
    (vm_of_plan, *_) = getattr(_FULL, lot)

    assert type(vm_of_plan).from_json(vm_of_plan.to_json()) == vm_of_plan


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({}, Wanted()),
        ({"release": "", "replicas": None, "dry_run": True}, Wanted()),
        ({"release": "1.1", "replicas": 0}, Wanted(release="1.1", replicas=0)),
        ({"slots": [2, 0]}, Wanted(slots=(2, 0))),
        ({"replace": "none", "force": True}, Wanted(replace="none", force=True)),
    ],
    ids=["nothing", "an empty form", "zero replicas", "some slots", "force"],
)
def test_the_form_of_a_run_says_what_is_wanted(params: dict[str, Any], wanted: Wanted) -> None:
    """Empty fields mean the default; zero is a number."""
    assert Wanted.from_params(params) == wanted


def test_of_two_vms_with_one_name_the_first_one_is_the_vm() -> None:
    """The lower id was there before."""
    found = seen(vm(0, vm_id=9), vm(0, vm_id=4)).get("shop-aaaaaaa-0")

    assert found is not None
    assert found.vm_id == 4
