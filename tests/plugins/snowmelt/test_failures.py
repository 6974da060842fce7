"""Which steps of a run have failed."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time.comms import ErrorResponse

from snowmelt.errors import Unreachable
from snowmelt.failures import failed_steps, places, siblings, stopped


def test_failed_steps_are_named_with_their_place() -> None:
    asked: dict[str, Any] = {}

    def ask(**kwargs: Any) -> dict[str, Any]:
        asked.update(kwargs)
        states = {"g.a_0": "success", "g.a_12": "failed", "g.b_12": "upstream_failed", "x": None}
        return {"run": states}

    assert failed_steps("dag", "run", ["g.a", "g.b", "x"], ask) == ("g.a_12", "g.b_12")
    assert asked == {"dag_id": "dag", "run_ids": ["run"], "task_ids": ["g.a", "g.b", "x"]}


def test_a_run_of_which_airflow_says_nothing_has_no_failure() -> None:
    assert failed_steps("dag", "run", ["a"], lambda **_: {}) == ()


def test_an_airflow_that_does_not_answer_is_asked_again() -> None:
    def refuse(**_: Any) -> dict[str, Any]:
        raise AirflowRuntimeError(ErrorResponse(detail={"status": 503}))

    with pytest.raises(Unreachable, match="does not say which steps have failed"):
        failed_steps("dag", "run", ["a"], refuse)


def test_places_are_those_of_the_mapped_steps() -> None:
    assert places(["replace.enrol_in_puppet_3", "replace.watch_3", "watch_canary"]) == {3}


def test_the_steps_beside_a_step_are_those_of_its_group() -> None:
    assert siblings("replace.create_vm")[0] == "replace.create_vm"
    assert siblings("replace.create_vm")[-1] == "replace.terminate_vm"
    assert siblings("create_vm")[0] == "create_vm"


def test_who_does_not_start_says_why_and_not_what_fell_with_it() -> None:
    """The steps after a failed one are in the state `upstream_failed`: they are no cause."""
    fell = [f"replace.{step}_0" for step in ("drain", "leave_balancer", "terminate_vm", "watch")]

    assert stopped("shop-1", [*fell, "replace.enrol_in_puppet_3"]) == (
        "shop-1 does not start: replace.enrol_in_puppet_3, replace.watch_0 failed,"
        " and the window has stopped"
    )
