"""The daily rotation, on a cloud and an Airflow in memory."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.planner import rollout_id
from snowmelt.errors import Refused, Unreachable
from tests.plugins.snowmelt.kit import Ti, killed_while_waiting, run, spec
from tests.plugins.snowmelt.rotating import (
    Catalogue,
    catalogue,
    context,
    key,
    planned,
    planned_for,
    rotate,
    started,
    today,
    with_vms,
)
from tests.plugins.snowmelt.world import FakeRun, FakeWorld

__all__ = ["catalogue"]


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
    """A day has hundreds of looks, and one that fails ends no try."""
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
    assert 7200 < world.clock.now - plan["began"] < 3 * 3600


def test_an_opennebula_that_restarts_at_night_costs_no_service_its_turn(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    """At one in the morning a service may be the only one whose time has come."""
    plan = planned_for(world, catalogue, "a")
    began = world.clock.now
    world.fail("vm_states", Unreachable("restarting"), times=8)

    assert run(rotate(plan), context(world)) == {"rotated": 1}
    assert 900 < world.clock.now - began < 1500


def test_a_blackout_of_an_hour_that_was_made_since_delays_the_turn_by_an_hour(
    world: FakeWorld, catalogue: Catalogue
) -> None:
    """Its day has many more hours."""
    plan = planned_for(world, catalogue, "a", "b")
    now = datetime.fromtimestamp(world.clock.now, UTC)
    dark = {"begins": f"{now - timedelta(hours=1):%Y-%m-%d %H:%M}", "reason": "sale"}
    dark["ends"] = f"{now + timedelta(hours=1):%Y-%m-%d %H:%M}"
    catalogue("a", maintenance={"blackouts": [dark]})
    ti = Ti(dag_id="rotate_fleet")

    assert run(rotate(plan), context(world, ti)) == {"rotated": 2}
    assert started(world) == ["b", "a"]
    assert 3500 < world.clock.now - now.timestamp() < 4000
    assert ti.pushed["left"] == []


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
