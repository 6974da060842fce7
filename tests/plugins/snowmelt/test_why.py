"""The last line of a failed task's log says why."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.log import mask_secret

from snowmelt.errors import Refused
from snowmelt.why import say_why


def context(error: BaseException | None) -> Any:
    return {"ti": SimpleNamespace(task_id="canary.enrol_in_puppet"), "exception": error}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Refused("no token"), "canary.enrol_in_puppet failed: no token"),
        (ValueError("one\ntwo"), "canary.enrol_in_puppet failed: one | two"),
    ],
)
def test_the_reason_is_one_line(
    error: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    say_why(context(error))

    assert caplog.record_tuples == [("snowmelt.why", logging.ERROR, told)]


def test_who_follows_the_run_can_read_the_reason() -> None:
    ti = SimpleNamespace(task_id="watch", pushed={})
    told: Any = {"ti": ti, "exception": Refused("no token")}
    ti.xcom_push = lambda key, value: ti.pushed.update({key: value})
    say_why(told)

    assert ti.pushed == {"why": "no token"}


def test_what_is_kept_of_the_reason_has_no_password_in_it() -> None:
    """People are sent it, and no log's filter is on the way."""
    mask_secret("correct horse")
    ti = SimpleNamespace(task_id="watch", pushed={})
    told: Any = {"ti": ti, "exception": Refused("https://ada:correct horse@example.org says no")}
    ti.xcom_push = lambda key, value: ti.pushed.update({key: value})
    say_why(told)

    assert ti.pushed == {"why": "https://ada:***@example.org says no"}


def test_a_task_that_was_killed_has_no_reason(caplog: pytest.LogCaptureFixture) -> None:
    say_why(context(None))

    assert len(caplog.records) == 1
