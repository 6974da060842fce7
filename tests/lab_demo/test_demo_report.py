"""The report's numbers, and what makes the demo fail."""

from __future__ import annotations

from typing import Any

import pytest

from lab.demo import report, show
from tests.lab_demo.tasks import task

AFTER = {"plan": ["vm.create_vm"], "vm.create_vm": ["vm.publish_dns"], "vm.publish_dns": ["watch"]}
TASKS = [
    task("plan", start=0, end=2),
    task("vm.create_vm", index=0, vm="shop-a-0", start=2.5, end=10),
    task("vm.create_vm", index=1, vm="shop-a-1", start=3, end=20),
    task("vm.publish_dns", index=0, vm="shop-a-0", start=10.2, end=11),
    task("vm.publish_dns", index=1, vm="shop-a-1", start=20.4, end=21),
    task("watch", start=21.1, end=30),
    task("roll_back", state="skipped", start=None, end=None),
    task("undo", state="skipped", start=30, end=30),
]
LOAD = {
    "requests": 12_000, "failed": 0, "lost_sessions": 0, "sessions": 500, "reconnects": 3,
    "latency_ms": {"p50": 20, "p99": 90, "max": 200}, "failures": [], "timeline": [],
    "releases": {"1.1": {"first": 9, "last": 20, "hosts": {"b": 7000}},
                 "1.0": {"first": 1, "last": 12, "hosts": {"a": 5000}}},
}  # fmt: skip
RUN = {
    "state": "success",
    "queued_at": "2026-01-01T12:00:00+00:00",
    "end_date": "2026-01-01T12:01:30.52Z",
}


def clean() -> dict[str, Any]:
    data = report.report(LOAD, RUN, TASKS, AFTER)
    return data | {"vms_replaced": 2, "leftovers": [], "elapsed_s": 200.0}


def test_the_gap_in_front_of_a_vm_s_task_is_that_to_the_same_vm_s_task_before() -> None:
    assert report.gaps(TASKS, AFTER)["vm.publish_dns"] == pytest.approx([0.2, 0.4])


def test_the_gap_in_front_of_a_join_counts_from_the_last_vm() -> None:
    assert report.gaps(TASKS, AFTER)["watch"] == pytest.approx([0.1])


def test_a_task_that_was_tried_again_says_nothing_about_the_gap() -> None:
    tasks = [task("plan", end=2), task("vm.create_vm", index=0, start=60, end=61, tries=2)]

    assert report.gaps(tasks, AFTER) == {}


def test_what_was_skipped_is_no_step_but_a_task_instance() -> None:
    data = clean()

    assert data["task_instances"] == 8
    assert list(data["steps"]) == ["plan", "create_vm", "publish_dns", "watch"]
    assert data["steps"]["create_vm"] == {
        "count": 2, "median_s": 12.25, "max_s": 17.0, "median_gap_s": 0.75,
    }  # fmt: skip


def test_releases_stand_in_the_order_in_which_clients_met_them() -> None:
    assert clean()["releases_seen"] == ["1.0", "1.1"]


def test_the_makespan_counts_from_the_trigger() -> None:
    assert clean()["makespan_s"] == 90.5


def test_a_clean_demo_has_no_complaints() -> None:
    assert report.complaints(clean()) == []


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"failed": 1}, "1 requests failed"),
        ({"lost_sessions": 2}, "2 sessions were lost"),
        ({"leftovers": ["nodes: shop-a-0.lab.test"]}, "1 traces of old VMs"),
        ({"requests": 9_999}, "only 9999 requests"),
        ({"elapsed_s": 601.0}, "it took 601.0 s"),
        ({"state": "failed"}, "the run ended as failed"),
        ({"vms_replaced": 0}, "no VM was replaced"),
    ],
)
def test_whatever_is_not_clean_is_said(changed: dict[str, Any], complaint: str) -> None:
    assert report.complaints(clean() | changed) == [complaint]


def test_the_text_shows_failures_leftovers_and_who_served_what() -> None:
    data = clean() | {
        "leftovers": ["nodes: shop-old-0.lab.test"],
        "failures": [{"at": 5.0, "what": "status 503", "host": ""}],
    }

    text = "\n".join(show.lines(data))

    for expected in ("12000", "nodes: shop-old-0.lab.test", "status 503", "7000 requests"):
        assert expected in text
