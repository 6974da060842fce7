"""What people read when a run has failed."""

from __future__ import annotations

import pytest

from include.failure import FailedStep, Failure, failed_steps, service_of

TASKS = ("plan", "replace.drain", "replace.watch", "roll_back", "step_2")


def test_the_message_names_run_service_steps_reasons_and_page() -> None:
    failure = Failure(
        dag_id="rollout_shop",
        run_id="rotation__2026-11-22__shop",
        service="shop",
        end="task_failure",
        steps=[
            FailedStep(task_id="replace.watch", place=1, why="12 of 310 requests with errors"),
            FailedStep(task_id="roll_back"),
        ],
        page="https://airflow/dags/rollout_shop/runs/rotation__2026-11-22__shop",
    )

    assert str(failure) == (
        "rollout_shop has failed: replace.watch[1] and 1 more\n"
        "Run rotation__2026-11-22__shop of service shop\n"
        "replace.watch[1]: 12 of 310 requests with errors\n"
        "roll_back: see its log\n"
        "https://airflow/dags/rollout_shop/runs/rotation__2026-11-22__shop"
    )


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("timed_out", "audit_fleet has failed: it took longer than it may"),
        ("all_tasks_deadlocked", "audit_fleet has failed: no step could begin any more"),
        ("", "audit_fleet has failed: its page says more"),
    ],
)
def test_a_run_that_failed_without_a_failed_step_says_how_it_ended(end: str, told: str) -> None:
    failure = Failure(dag_id="audit_fleet", run_id="r", end=end)

    assert str(failure) == f"{told}\nRun r"


def test_a_message_stays_short_enough_for_a_telephone() -> None:
    steps = [FailedStep(task_id="drain", place=n, why="x" * 9000) for n in range(500)]
    told = str(Failure(dag_id="rollout_shop", run_id="r", steps=steps))

    assert len(told) < 6000
    assert told.endswith("\nand 490 more")


def test_only_what_failed_itself_is_named_with_its_place() -> None:
    """What fell with another step says nothing, and a task's own name may end in a number."""
    states = {
        "replace.watch_10": "failed",
        "replace.watch_9": "failed",
        "replace.drain_9": "upstream_failed",
        "step_2": "failed",
        "plan": "success",
        "roll_back": None,
    }

    names = [step.name for step in failed_steps(states, TASKS)]
    assert names == ["replace.watch[9]", "replace.watch[10]", "step_2"]


@pytest.mark.parametrize(
    ("dag_id", "params", "service"),
    [
        ("rollout_shop", {}, "shop"),
        ("deploy_release", {"service": "shop"}, "shop"),
        ("request_vm", {"name": None, "owner": "Ada"}, ""),
        ("request_vm", {"name": "parser"}, "parser"),
        ("expire_requests", {"end_now": "parser"}, "parser"),
        ("rotate_fleet", {"services": ["shop"]}, ""),
    ],
)
def test_the_service_is_named_where_the_run_is_about_one(
    dag_id: str, params: dict[str, object], service: str
) -> None:
    assert service_of(dag_id, params) == service


def test_a_run_whose_steps_only_repeat_rollouts_is_told_already() -> None:
    repeated = FailedStep(task_id="a", told_by="rollout_shop r")
    own = FailedStep(task_id="b", why="no mail server")

    assert Failure(dag_id="d", run_id="r", steps=[repeated]).is_told
    assert not Failure(dag_id="d", run_id="r", steps=[repeated, own]).is_told
    assert not Failure(dag_id="d", run_id="r").is_told
