"""What each front door asks of the rollout, and what the rollout came to."""

from __future__ import annotations

from typing import Any

import pytest

from include.facts import DagRun
from include.front_doors import (
    FRONT_DOORS,
    child_run,
    end_verdict,
    planned_verdict,
    rollout_conf,
    slot_of,
    why_failed,
)

FORM = {"service": "shop", "dry_run": False, "reason": "why not", "force": False}


def conf(door: str, **asked: Any) -> dict[str, Any]:
    return rollout_conf(FRONT_DOORS[door], {**FORM, **asked})


@pytest.mark.parametrize(
    ("door", "asked", "asks"),
    [
        ("deploy_release", {"release": "1.1", "replace": "all"},
         {"release": "1.1", "replace": "all"}),
        ("scale_service", {"replicas": 4}, {"replicas": 4, "replace": "none"}),
        ("roll_back_release", {}, {}),
        ("retire_service", {"confirm": "shop"}, {"replicas": 0, "force": True}),
        ("replace_vm", {"vm": "2"}, {}),
    ],
)  # fmt: skip
def test_a_door_asks_for(door: str, asked: dict[str, Any], asks: dict[str, Any]) -> None:
    assert conf(door, **asked) == {
        "dry_run": False,
        "reason": "why not",
        "force": False,
        **asks,
    }


def test_to_retire_a_service_takes_its_name_twice() -> None:
    with pytest.raises(ValueError, match="write its name into `confirm`"):
        conf("retire_service", confirm="shopp")


THERE = ("shop-k3f7x2q-0", "shop-k3f7x2q-1")


@pytest.mark.parametrize("vm", ["1", "shop-k3f7x2q-1", "shop-k3f7x2q-1.lab.test"])
def test_a_vm_is_meant_by_its_slot_or_its_name(vm: str) -> None:
    assert slot_of("shop", vm, THERE) == 1


@pytest.mark.parametrize(
    "vm", ["7", "²", "shop-aaaaaaa-1", "shop-k3f7x2q-2", "wiki-k3f7x2q-1", "the old one"]
)
def test_a_vm_that_is_not_there_is_refused_with_those_that_are(vm: str) -> None:
    """`shop-aaaaaaa-1` was replaced last night: who fills its slot now is well."""
    with pytest.raises(ValueError, match=f"no VM {vm}: there is {THERE[0]}, {THERE[1]}"):
        slot_of("shop", vm, THERE)


def test_a_service_without_vms_has_none_to_replace() -> None:
    with pytest.raises(ValueError, match="there is no VM"):
        slot_of("shop", "0", ())


def test_the_child_has_the_same_id_at_every_attempt() -> None:
    once, again = (child_run("deploy_release", "manual__1") for _ in range(2))

    assert once == again
    assert once != child_run("scale_service", "manual__1")
    assert once != child_run("deploy_release", "manual__2")


@pytest.mark.parametrize(
    ("run", "planned", "ended"),
    [
        (DagRun(state="queued"), "pending", "pending"),
        (DagRun(state="running", tasks={"plan": "running"}), "pending", "pending"),
        (DagRun(state="running", tasks={"plan": "success"}), "done", "pending"),
        (DagRun(state="running", tasks={"plan": "up_for_retry"}), "pending", "pending"),
        (DagRun(state="failed", tasks={"plan": "failed"}), "done", "failed"),
        (DagRun(state="success", tasks={"plan": "success"}), "done", "done"),
        (DagRun(state=None), "failed", "failed"),
    ],
)
def test_a_rollout_is_over(run: DagRun, planned: str, ended: str) -> None:
    assert planned_verdict(run).status == planned
    assert end_verdict(run).status == ended


def test_who_follows_sees_what_goes_on() -> None:
    run = DagRun(
        state="running",
        tasks={"plan": "success", "canary.create_vm_0": "deferred", "watch": None},
    )

    assert end_verdict(run).detail == "1 of 3 tasks have ended; now canary.create_vm_0"


@pytest.mark.parametrize(
    ("verify", "roll_back", "told"),
    [
        (None, None, ": audit__1 runs"),
        ("upstream_failed", "running", ": audit__1 runs"),
        ("success", "skipped", ""),
    ],
)
def test_who_waits_says_for_which_run(verify: str | None, roll_back: str | None, told: str) -> None:
    others: dict[str, dict[str, str | None]] = {
        "a": {"plan": "success", "verify": "success", "roll_back": "skipped"},
        "audit__1": {"plan": "success", "verify": verify, "roll_back": roll_back},
        "behind": {"plan": None, "verify": None, "roll_back": None},
    }

    run = DagRun(state="queued", others=others)

    assert end_verdict(run).detail == f"the rollout waits for its turn{told}"


def test_the_reason_of_a_failure_is_one_line() -> None:
    assert why_failed([("watch", "too many errors"), ("verify", "")]) == (
        "watch: too many errors; verify: see its log"
    )
    assert "marked" in why_failed([])
