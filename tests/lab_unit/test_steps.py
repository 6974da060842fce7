"""Steps of lab-up: order, parallel work, failures."""

from __future__ import annotations

import threading

import pytest

from lab.steps import Progress, Step, StepFailedError, run


def nowhere() -> None:
    """Threads of these tests stay in the machine's own network."""


def test_a_step_starts_after_all_that_it_needs() -> None:
    """PuppetDB after its certificate and its database."""
    order: list[str] = []
    steps = [
        Step("puppetdb", lambda: order.append("puppetdb"), ("postgres", "certificates")),
        Step("postgres", lambda: order.append("postgres")),
        Step("certificates", lambda: order.append("certificates")),
    ]

    run(steps, Progress(), nowhere)

    assert order[-1] == "puppetdb"
    assert set(order) == {"postgres", "certificates", "puppetdb"}


def test_independent_steps_run_at_the_same_time() -> None:
    """Each waits for the other: one after the other they would never meet."""
    meeting = threading.Barrier(2, timeout=5)

    def meet() -> None:
        meeting.wait()

    run([Step("knot", meet), Step("icinga", meet)], Progress(), nowhere)

    assert not meeting.broken


def test_a_failure_names_the_step_and_starts_nothing_after_it() -> None:
    """What needs the failed step is left out, and the error says which one it was."""
    begun: list[str] = []

    def fail() -> str | None:
        raise OSError("no space left")

    steps = [Step("postgres", fail), Step("puppetdb", lambda: begun.append("x"), ("postgres",))]

    with pytest.raises(StepFailedError, match="postgres: no space left"):
        run(steps, Progress(), nowhere)
    assert begun == []


def test_a_step_that_needs_what_there_is_not_is_a_mistake() -> None:
    """It is not silently left out."""
    with pytest.raises(ValueError, match="can never start: members"):
        run([Step("members", lambda: None, ("haproxy",))], Progress(), nowhere)


def test_each_line_says_what_the_step_found(capsys: pytest.CaptureFixture[str]) -> None:
    """A second lab-up tells that it had nothing to do."""
    run([Step("knot", lambda: "already running")], Progress(), nowhere)

    assert "knot" in (line := capsys.readouterr().out)
    assert "already running" in line
