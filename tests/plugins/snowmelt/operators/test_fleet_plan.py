"""Whose turn it is today, on a cloud and an Airflow in memory."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from snowmelt.errors import Refused
from snowmelt.operators.fleet_plan import PlanRotation
from tests.plugins.snowmelt.kit import OLD, serving
from tests.plugins.snowmelt.rotating import (
    Catalogue,
    catalogue,
    context,
    key,
    planned,
    today,
    with_vms,
)
from tests.plugins.snowmelt.world import FakeRun, FakeWorld

__all__ = ["catalogue"]


def test_only_the_services_that_were_asked_for_are_rotated(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    catalogue("a", "b")
    with_vms(world, "a", "b")

    assert [turn["service"] for turn in planned(world, services=["b"])["turns"]] == ["b"]


def test_one_wrong_file_stops_no_other_service(world: FakeWorld, catalogue: Catalogue) -> None:
    (catalogue("a", "b") / "c.yaml").write_text("name: [")
    with_vms(world, "a", "b", "c")

    assert [turn["service"] for turn in planned(world)["turns"]] == ["a", "b"]


def test_what_failed_today_is_tried_once_more_when_somebody_asks(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    catalogue("a", "b")
    with_vms(world, "a", "b")
    world.runs[key(world, "a")] = FakeRun(conf={}, state="failed")
    world.runs[key(world, "b")] = FakeRun(conf={}, state="success")

    (a, b) = planned(world, again=True)["turns"]

    assert a["run_id"] == f"rotation__{today(world)}__a__2"
    assert planned(world, again=True)["turns"][0] == a  # the same at every try of that run
    assert b["run_id"] == f"rotation__{today(world)}__b"


@pytest.mark.parametrize(
    ("state", "again", "attempt"),
    [("success", False, 2), ("success", True, 2), ("failed", False, 2), ("failed", True, 3)],
)
def test_a_second_try_is_remembered(
    world: FakeWorld, catalogue: Catalogue, state: str, again: bool, attempt: int
) -> None:
    """What went well then is neither called failed nor rebuilt once more."""
    catalogue("a")
    with_vms(world, "a")
    dag_id, first = key(world, "a")
    world.runs[dag_id, first] = FakeRun(conf={}, state="failed")
    world.runs[dag_id, f"{first}__2"] = FakeRun(conf={}, state=state)

    (turn,) = planned(world, again=again)["turns"]

    assert turn["run_id"] == f"{first}__{attempt}"


def test_a_rotation_that_began_yesterday_can_be_gone_on_with(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    catalogue("shop")
    with_vms(world, "shop")
    yesterday = date.fromisoformat(today(world)) - timedelta(days=1)

    (turn,) = planned(world, day=yesterday.isoformat())["turns"]

    assert turn["run_id"] == f"rotation__{yesterday}__shop"


@pytest.mark.parametrize(
    ("day", "why"), [("2999-01-01", "has not come yet"), ("2026-02-30", "there is no 2026-02-30")]
)
def test_a_day_that_has_not_come_is_refused(
    world: FakeWorld, catalogue: Catalogue, day: str, why: str
) -> None:
    """Its proof would stand in the way of all that come before it."""
    catalogue("shop")
    with_vms(world, "shop")

    with pytest.raises(Refused, match=why):
        planned(world, day=day)


def test_an_exception_for_a_service_that_is_not_there_is_told(
    world: FakeWorld, catalogue: Catalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one that was meant is rotated, and somebody has to know."""
    entry = {"service": "shpo", "reason": "r", "owner": "o", "expires": "2999-01-01"}
    catalogue("shop", fleet={"exceptions": [entry]})
    with_vms(world, "shop")

    assert [turn["service"] for turn in planned(world)["turns"]] == ["shop"]
    told = capsys.readouterr().out
    assert "exceptions.0.service: no service is called shpo: is shop meant?" in told


def scheduled(world: FakeWorld, late: timedelta = timedelta(0), clear_number: int = 0) -> Any:
    """Return the context of a daily run, due at 01:00, that began *late*."""
    ctx = context(world)
    run = ctx["dag_run"]
    run.run_after = run.run_after.replace(hour=1, minute=0)
    run.run_type, run.clear_number, run.start_date = "scheduled", clear_number, run.run_after + late
    return ctx


def first_turn(ctx: Any) -> tuple[str, float, float]:
    """Return the day, the seconds until the first turn, and those until the end."""
    plan = PlanRotation(task_id="plan").execute(ctx)
    assert plan
    due = ctx["dag_run"].run_after.timestamp()
    return plan["day"], plan["turns"][0]["open"][0][0] - due, plan["ends"] - due


def test_a_night_that_was_missed_in_a_pause_spreads_from_when_it_really_begins(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    """Unpaused in the morning, all minutes of the night are past: the fleet would start at once."""
    catalogue("shop")
    with_vms(world, "shop")
    day, opens, ends = first_turn(scheduled(world))
    hours = timedelta(hours=9)

    late = first_turn(scheduled(world, hours))

    assert late == (day, opens + hours.total_seconds(), ends)


@pytest.mark.parametrize(
    ("late", "clear_number"), [(timedelta(minutes=50), 0), (timedelta(hours=9), 1)]
)
def test_a_plan_that_is_made_again_moves_no_minute(
    world: FakeWorld, catalogue: Catalogue, late: timedelta, clear_number: int
) -> None:
    """Who clears a run gives it a new start: that says nothing of when its night began."""
    catalogue("shop")
    with_vms(world, "shop")

    assert first_turn(scheduled(world, late, clear_number)) == first_turn(scheduled(world))


def test_the_daily_run_spreads_and_one_started_by_hand_does_not(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    names = [f"s{n}" for n in range(5)]
    catalogue(*names)
    with_vms(world, *names)
    daily = scheduled(world)

    at_once = {turn["open"][0][0] for turn in planned(world)["turns"]}
    spread = PlanRotation(task_id="plan").execute(daily)

    assert len(at_once) == 1
    assert spread
    assert len({turn["open"][0][0] for turn in spread["turns"]}) > 2


def test_the_whole_fleet_is_looked_at_by_one_call(world: FakeWorld, catalogue: Catalogue) -> None:
    catalogue("a", "b", "c")
    serving(world, f"shop-{OLD}-0")
    planned(world)

    assert world.calls == {"vm_states": 1}
