"""The daily rotation, on a cloud and an Airflow in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowSkipException

from include.catalogue.fleet import Fleet
from include.planner import rollout_id
from snowmelt.errors import Refused, Unreachable
from snowmelt.operators.fleet import RotateServices
from snowmelt.operators.fleet_plan import PlanRotation
from tests.plugins.snowmelt.kit import (
    OLD,
    Ti,
    killed_while_waiting,
    run,
    service,
    serving,
    spec,
)
from tests.plugins.snowmelt.world import FakeRun, FakeWorld

Catalogue = Callable[..., Path]
Wave = dict[str, Any]


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Return a function that writes services, and `fleet.yaml` above them."""
    folder = tmp_path / "services"
    folder.mkdir()
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(folder))

    def write(*names: str, fleet: dict[str, Any] | None = None, **changes: Any) -> Path:
        for name in names:
            entry = service(**{"name": name, **changes}).model_dump(mode="json")
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(entry))
        (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet or {}))
        return folder

    return write


def with_vms(world: FakeWorld, *names: str) -> None:
    for name in names:
        world.add_vm(spec(f"{name}-{OLD}-0", "1.0"), phase="running")


def context(world: FakeWorld, ti: Ti | None = None, **params: Any) -> Any:
    """Return the context of a run of `rotate_fleet` that somebody started now."""
    given: dict[str, Any] = {
        "services": None,
        "spread": None,
        "again": False,
        "day": None,
        "dry_run": False,
    }
    given.update(failures=None, at_once=None)
    ti = ti or Ti(dag_id="rotate_fleet")
    now = datetime.fromtimestamp(world.clock.now, UTC)
    dag_run = SimpleNamespace(dag_id=ti.dag_id, run_id=ti.run_id, run_after=now, run_type="manual")
    return {"ti": ti, "params": {**given, **params}, "dag_run": dag_run}


def planned(world: FakeWorld, **params: Any) -> Any:
    return PlanRotation(task_id="plan").execute(context(world, **params))


def planned_for(world: FakeWorld, catalogue: Catalogue, *names: str) -> Any:
    """Return the plan for services that have a VM each, and whose rollouts take a minute."""
    catalogue(*names)
    with_vms(world, *names)
    world.new_runs_end_s = 60.0
    return planned(world)


def rotate(plan: Any, deferrable: bool = True) -> Callable[[], RotateServices]:
    return lambda: RotateServices(task_id="rotate", plan=plan, deferrable=deferrable)


def today(world: FakeWorld) -> str:
    return Fleet().day(datetime.fromtimestamp(world.clock.now, UTC)).isoformat()


def key(world: FakeWorld, name: str) -> tuple[str, str]:
    return f"rollout_{name}", f"rotation__{today(world)}__{name}"


def started(world: FakeWorld) -> list[str]:
    return [line.removeprefix("start rollout_") for line in world.story if "start" in line]


def test_every_service_is_rotated_by_a_run_of_its_own_rollout(
    world: FakeWorld, catalogue: Catalogue, deferrable: bool
) -> None:
    catalogue("shop", "wiki")
    with_vms(world, "shop", "wiki")
    world.new_runs_end_s = 60.0

    done = run(rotate(planned(world), deferrable), context(world))

    assert done == {"rotated": 2}
    assert set(world.runs) == {key(world, "shop"), key(world, "wiki")}
    conf = world.runs[key(world, "shop")].conf
    assert conf == {"reason": f"rotation of {today(world)}"}  # the release that it has


def test_services_wait_for_their_turn(world: FakeWorld, catalogue: Catalogue) -> None:
    names = ("a", "b", "c", "d", "e")
    catalogue(*names, fleet={"budgets": {"services": 2}})
    with_vms(world, *names)
    world.new_runs_end_s = 60.0
    began = world.clock.now

    run(rotate(planned(world)), context(world))

    begun = [made.began - began for made in world.runs.values()]
    for moment in begun:
        assert sum(moment <= other < moment + 60 for other in begun) <= 2
    assert len(begun) == 5
    assert world.clock.now - began < 3 * 60 + 20


def test_services_start_one_after_the_other_or_all_their_steps_would_come_at_once(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    names = ("a", "b", "c")
    catalogue(*names)
    with_vms(world, *names)
    world.new_runs_end_s = 60.0

    run(rotate(planned(world)), context(world))

    begun = [made.began for made in world.runs.values()]
    assert all(2 <= later - earlier < 10 for earlier, later in pairwise(begun))
    assert len(begun) == 3


def test_a_run_may_be_given_tighter_limits_than_the_fleet(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    catalogue("a", "b")
    with_vms(world, "a", "b")
    world.new_runs_end_s, world.failing = 60.0, {"rollout_a": "no such image"}

    with pytest.raises(Refused, match="b was not started: the failure budget is spent"):
        run(rotate(planned(world, failures=1, at_once=1)), context(world))

    assert started(world) == ["a"]


def test_a_rotation_that_is_killed_and_started_again_rebuilds_nothing_twice(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    names = ("a", "b", "c")
    catalogue(*names, fleet={"budgets": {"services": 1}})
    with_vms(world, *names)
    world.new_runs_end_s = 60.0
    killed_while_waiting(rotate(planned(world)), context(world))
    world.clock.pass_s(90)

    run(rotate(planned(world)), context(world, Ti(dag_id="rotate_fleet", run_id="manual__2")))

    assert started(world) == ["a", "b", "c"]
    assert len(world.runs) == 3


def test_a_lost_answer_to_a_start_starts_nothing_twice(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    catalogue("shop")
    with_vms(world, "shop")
    world.new_runs_end_s = 60.0
    world.lose_answer("ensure_run", Unreachable("no answer"))

    assert run(rotate(planned(world)), context(world)) == {"rotated": 1}
    assert started(world) == ["shop"]


@pytest.mark.parametrize("verb", ["state", "vm_states", "ensure_run"])
def test_what_fails_for_a_moment_costs_the_day_nothing(
    world: FakeWorld, catalogue: Catalogue, verb: str
) -> None:
    """A day has hundreds of looks, and a task five tries."""
    plan = planned_for(world, catalogue, "a", "b")
    world.fail(verb, Unreachable("for a moment"), times=8)

    assert run(rotate(plan), context(world)) == {"rotated": 2}


def test_one_that_cannot_be_looked_at_all_day_is_told_and_the_others_go_on(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    plan = planned_for(world, catalogue, "a")
    world.fail("ensure_run", Unreachable("no answer"), times=1000)

    with pytest.raises(Refused, match="a was not started: no answer"):
        run(rotate(plan), context(world))
    assert world.clock.now < plan["began"] + 1800


def test_a_service_on_an_opennebula_that_is_away_has_its_turn_like_the_others(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    """Whether it has VMs is looked at then: one cloud must not cost the fleet its night."""
    catalogue("a")
    with_vms(world, "a")
    world.new_runs_end_s = 60.0
    world.fail("vm_states", Unreachable("away"))
    plan = planned(world)

    assert [turn["slots"] for turn in plan["turns"]] == [2]
    assert run(rotate(plan), context(world)) == {"rotated": 1}


def test_a_service_that_was_retired_since_the_plan_was_made_is_not_brought_back(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    catalogue("a", "b")
    with_vms(world, "a", "b")
    world.new_runs_end_s, ti = 60.0, Ti(dag_id="rotate_fleet")
    plan = planned(world)
    next(vm for vm in world.vms.values() if vm.spec.service == "a").phase = "done"

    assert run(rotate(plan), context(world, ti)) == {"rotated": 1}
    assert started(world) == ["b"]
    assert ti.pushed["left"] == [
        {
            "service": "a",
            "kind": "empty",
            "reason": "it has no VM",
            "owner": "web team",
            "until": "",
        }
    ]


def test_an_exception_that_was_made_since_counts(world: FakeWorld, catalogue: Catalogue) -> None:
    plan = planned_for(world, catalogue, "a", "b")
    entry = {"service": "a", "reason": "sale", "owner": "o", "expires": "2999-01-01"}
    catalogue(fleet={"exceptions": [entry]})

    run(rotate(plan), context(world))

    assert started(world) == ["b"]


def test_a_window_that_was_taken_away_is_no_good_day(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    """Nobody has said until when it may stay as it is."""
    plan = planned_for(world, catalogue, "a")
    hour = datetime.fromtimestamp(world.clock.now, UTC) + timedelta(hours=2)
    window = {"begins": f"{hour:%H:%M}", "ends": f"{hour + timedelta(hours=1):%H:%M}"}
    catalogue("a", maintenance={"windows": [window]})

    with pytest.raises(Refused, match="a was not started: its windows were changed"):
        run(rotate(plan), context(world))


def test_a_failed_service_does_not_stop_the_others(
    world: FakeWorld, catalogue: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    catalogue("a", "b", "c")
    with_vms(world, "a", "b", "c")
    world.new_runs_end_s, world.failing = 60.0, {"rollout_b": "no such image"}

    with caplog.at_level(logging.ERROR), pytest.raises(Refused) as told:
        run(rotate(planned(world)), context(world))

    assert str(told.value) == "2 services were rotated. Not so: b failed"
    assert started(world) == ["a", "b", "c"]


def test_with_the_failure_budget_at_1_the_rest_is_not_started(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    catalogue("a", "b", "c", fleet={"budgets": {"services": 1, "failures": 1}})
    with_vms(world, "a", "b", "c")
    world.new_runs_end_s, world.failing = 60.0, {"rollout_b": "no such image"}
    ti = Ti(dag_id="rotate_fleet")

    with pytest.raises(Refused) as told:
        run(rotate(planned(world)), context(world, ti))

    assert started(world) == ["a", "b"]
    assert "c was not started: the failure budget is spent: b failed" in str(told.value)
    assert ti.pushed["held"] == {"c": "the failure budget is spent: b failed"}


def test_a_service_whose_rollout_cannot_start_is_told_and_the_others_go_on(
    world: FakeWorld, catalogue: Catalogue, deferrable: bool
) -> None:
    catalogue("a", "b")
    with_vms(world, "a", "b")
    world.new_runs_end_s = 60.0
    world.fail("ensure_run", Refused("rollout_a is paused"))

    with pytest.raises(Refused) as told:
        run(rotate(planned(world), deferrable), context(world))

    assert "a was not started: rollout_a is paused" in str(told.value)
    assert started(world) == ["b"]


def test_a_deployment_that_is_under_way_goes_first(world: FakeWorld, catalogue: Catalogue) -> None:
    catalogue("shop")
    with_vms(world, "shop")
    now = world.clock.now
    world.new_runs_end_s = 60.0
    world.runs["rollout_shop", "manual__deploy"] = FakeRun(conf={}, began=now, ends_s=200.0)

    run(rotate(planned(world)), context(world))

    assert world.runs[key(world, "shop")].began >= now + 200


def test_the_looks_of_a_day_are_few(world: FakeWorld, catalogue: Catalogue) -> None:
    """One question for each run at the start; then only for those that are under way."""
    names = [f"s{n}" for n in range(30)]
    catalogue(*names, fleet={"budgets": {"services": 3}})
    with_vms(world, *names)
    world.new_runs_end_s = 30.0
    plan = planned(world)
    world.calls.clear()
    began = world.clock.now

    run(rotate(plan), context(world))

    looks = (world.clock.now - began) / 3
    assert world.calls["state_if_any"] == 30
    assert world.calls["ensure_run"] == 30
    assert world.calls["state"] <= 2 * 3 * looks
    assert world.calls["vm_states"] <= 2 * 30  # only when another service could start


def test_a_service_waits_until_the_vms_of_another_run(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    """A burst of VMs wedges OpenNebula: they are asked for when the last ones have booted."""
    catalogue("a", "b", fleet={"budgets": {"vms_waiting": 2}})
    with_vms(world, "a", "b")
    world.new_runs_end_s = 600.0
    plan = planned(world)
    world.clock.pass_s(1)
    killed_while_waiting(rotate(plan), context(world))
    assert started(world) == ["a"]

    for slot in range(plan["turns"][0]["vms"]):
        name = f"a-{rollout_id(*key(world, 'a'))}-{slot}"
        world.add_vm(spec(name, "1.0"), phase="running")
    killed_while_waiting(rotate(plan), context(world))

    assert started(world) == ["a", "b"]
    assert world.runs[key(world, "a")].ends_s == 600.0  # and is still under way


def test_a_dry_run_prints_the_plan_and_starts_nothing(
    world: FakeWorld, catalogue: Catalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    catalogue("shop")
    with_vms(world, "shop")
    plan = planned(world, dry_run=True)

    with pytest.raises(AirflowSkipException):
        rotate(plan)().execute(context(world, dry_run=True))
    assert plan is None
    assert not world.runs


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


def test_the_daily_run_spreads_and_one_started_by_hand_does_not(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    names = [f"s{n}" for n in range(5)]
    catalogue(*names)
    with_vms(world, *names)
    daily = context(world)
    daily["dag_run"].run_type = "scheduled"

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
