"""What is shown of a run as it goes."""

from __future__ import annotations

from lab.airflow.rows import Task
from lab.demo.__main__ import params
from lab.demo.follow import Follower
from tests.lab_demo.tasks import task


def shown(*looks: list[Task]) -> list[str]:
    said: list[str] = []
    follower = Follower(said.append, now=lambda: 0.0)
    for look in looks:
        follower.show(look)
    return [" ".join(line.split()[3:]) for line in said]


def test_each_change_is_shown_once() -> None:
    running = task("vm.create_vm", index=0, vm="shop-a-0", state="running", end=None)
    waits = task("vm.create_vm", index=0, vm="shop-a-0", state="deferred", end=None)

    assert shown([running], [running], [waits], [waits]) == [
        "shop-a-0 create_vm …",
        "shop-a-0 create_vm waits",
    ]


def test_a_vm_whose_task_has_not_shown_its_name_gets_it_from_its_other_tasks() -> None:
    known = task("vm.create_vm", index=1, vm="shop-a-1", state="success")
    unknown = task("vm.publish_dns", index=1, state="running", start=2, end=None)

    assert shown([known, unknown])[-1] == "shop-a-1 publish_dns …"


def test_a_second_try_says_so() -> None:
    assert shown([task("plan", state="running", tries=2)]) == ["- plan … (try 2)"]


def test_waiting_to_be_started_is_not_worth_a_line() -> None:
    assert shown([task("plan", state="scheduled"), task("watch", state=None)]) == []


def test_a_release_stays_text_and_switches_become_json() -> None:
    assert params(["release=1.0", "dry_run=true", "replicas=4", "replace=none"]) == {
        "release": "1.0", "dry_run": True, "replicas": 4, "replace": "none",
    }  # fmt: skip
