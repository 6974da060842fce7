"""One VM for one person: asked for, and kept longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.catalogue import load_service, service_names
from include.front_doors import child_run
from snowmelt.errors import Refused, SnowmeltError
from snowmelt.hooks.requests import RequestsHook
from snowmelt.operators.request import ExtendRequest, RequestVm
from tests.plugins.snowmelt.asking import NOW, asked, kept, policy
from tests.plugins.snowmelt.kit import Ti, killed_while_waiting, planned, run
from tests.plugins.snowmelt.world import FakeRun, FakeWorld

__all__ = ["policy"]

pytestmark = pytest.mark.usefixtures("policy")


def request(**params: Any) -> Any:
    return run(lambda: RequestVm(task_id="t"), asked(**params))


def extend(**params: Any) -> Any:
    return run(lambda: ExtendRequest(task_id="t"), asked("extend_request", **params))


def test_a_request_becomes_a_service_that_is_rolled_out(world: FakeWorld) -> None:
    world.new_runs_end_s = 60.0
    request(name="parser")

    entry = load_service("parser")
    assert (entry.owner, entry.replicas) == ("Ada", 1)
    assert entry.expires_at == NOW + timedelta(days=2)
    assert world.story == ["start rollout_parser"]
    ((_, started),) = world.runs.items()
    assert started.conf == {"reason": "Ada asked for it: try a parser"}


def test_it_waits_until_airflow_knows_the_new_dag(world: FakeWorld, deferrable: bool) -> None:
    world.new_runs_end_s, world.dags_after = 60.0, world.clock.now + 40
    run(lambda: RequestVm(task_id="t", deferrable=deferrable), asked(name="parser"))

    assert world.story == ["start rollout_parser"]


def test_a_dag_that_never_appears_is_told(world: FakeWorld) -> None:
    world.dags_after = world.clock.now + 3600
    began = datetime.fromtimestamp(world.clock.now, UTC)

    with pytest.raises(SnowmeltError, match="does the dag-processor run"):
        request(name="parser", ti=Ti(dag_id="request_vm", start_date=began))


def test_a_retry_finds_its_own_entry(world: FakeWorld) -> None:
    """It was killed after it had written, and before it had started anything."""
    RequestVm(task_id="t").prepare(asked())
    (name,) = service_names()
    world.new_runs_end_s = 60.0

    request()

    assert service_names() == (name,)
    assert name.startswith("vm-")
    assert world.story == [f"start rollout_{name}"]


def test_a_name_that_is_taken_is_refused_and_starts_nothing(world: FakeWorld) -> None:
    kept("parser")

    with pytest.raises(Refused, match=r"parser is taken.*end_now=parser"):
        request(name="parser")
    assert not world.runs


def test_a_lifetime_beyond_the_limit_leaves_nothing_behind(world: FakeWorld) -> None:
    with pytest.raises(Refused, match="30d at most"):
        request(lifetime="31d")

    assert not service_names()
    assert not world.runs


def test_what_is_kept_longer_gets_a_new_vm_with_the_new_end(world: FakeWorld) -> None:
    kept("shop", NOW + timedelta(hours=1))
    plans(extension_waits(world)).state = "success"
    for _ in range(2):
        extend(service="shop", lifetime="3d")

    assert load_service("shop").expires_at == NOW + timedelta(days=3)
    assert world.story == ["start rollout_shop"]


def test_only_what_was_asked_for_can_be_kept_longer(world: FakeWorld) -> None:
    with pytest.raises(Refused, match="nobody asked for wiki"):
        extend(service="wiki", lifetime="3d")


def test_a_request_that_failed_says_how_to_take_it_back(world: FakeWorld) -> None:
    """Its entry stays, so that whoever mends the rollout can go on."""
    child = "rollout_parser", child_run("request_vm", "manual__1")
    world.runs[child] = FakeRun(conf={}, state="failed")

    with pytest.raises(Refused, match="run expire_requests with end_now=parser"):
        request(name="parser")


def extension_fails(world: FakeWorld) -> FakeRun:
    """Let a VM be kept longer, and its rollout fail; returns that run."""
    kept("shop", NOW + timedelta(hours=1))
    child = plans(extension_waits(world))
    child.state = "failed"
    with pytest.raises(Refused, match="failed"):
        run(extending(), extension())
    return child


def extension_waits(world: FakeWorld) -> FakeRun:
    """Let somebody keep the VM longer; returns the run of its rollout, which has only begun."""
    killed_while_waiting(extending(), extension())
    (child,) = world.runs.values()
    return child


def plans(child: FakeRun) -> FakeRun:
    """Let the rollout plan, with what the entry says now."""
    child.pushed["plan", -1, "rollout"] = planned(load_service("shop"))
    return child


def extending() -> Any:
    return lambda: ExtendRequest(task_id="t")


def extension() -> Any:
    return asked("extend_request", service="shop", lifetime="3d")


def test_what_could_not_be_kept_longer_ends_when_it_was_to(world: FakeWorld) -> None:
    """OpenNebula ends its VM then: an entry that says something else would lie."""
    extension_fails(world)

    assert load_service("shop").expires_at == NOW + timedelta(hours=1)
    assert service_names() == ("shop",)


def test_an_extension_whose_rollout_was_mended_holds(world: FakeWorld) -> None:
    """Only what came after its plan was cleared, so it made the VM with the end of that plan."""
    child = extension_fails(world)
    child.state = "success"
    run(extending(), extension())

    assert load_service("shop").expires_at == NOW + timedelta(days=3)


def test_an_extension_whose_rollout_was_planned_anew_is_to_be_asked_for_anew(
    world: FakeWorld,
) -> None:
    """The whole run was cleared when the old end stood in the entry again: the VM has that one."""
    plans(extension_fails(world)).state = "success"
    for _ in range(2):
        with pytest.raises(Refused, match="Run extend_request anew"):
            run(extending(), extension())

    assert load_service("shop").expires_at == NOW + timedelta(hours=1)


def test_an_extension_whose_rollout_was_only_marked_a_success_does_not_hold(
    world: FakeWorld,
) -> None:
    """It never planned, so it made no VM."""
    kept("shop", NOW + timedelta(hours=1))
    extension_waits(world).state = "success"
    with pytest.raises(Refused, match="no VM lasts until then"):
        run(extending(), extension())

    assert load_service("shop").expires_at == NOW + timedelta(hours=1)


def test_an_extension_that_is_killed_anywhere_knows_the_old_end(world: FakeWorld) -> None:
    kept("shop", NOW + timedelta(hours=1))
    for _ in range(2):
        ExtendRequest(task_id="t").prepare(extension())
    child = "rollout_shop", child_run("extend_request", "manual__1")
    world.runs[child] = FakeRun(conf={}, state="failed")
    with pytest.raises(Refused):
        run(extending(), extension())

    assert load_service("shop").expires_at == NOW + timedelta(hours=1)


def test_an_extension_that_could_not_begin_changes_nothing(world: FakeWorld) -> None:
    kept("shop", NOW + timedelta(hours=1))
    world.fail("ensure_run", Refused("rollout_shop is paused"))
    with pytest.raises(Refused, match="paused"):
        run(extending(), extension())

    assert load_service("shop").expires_at == NOW + timedelta(hours=1)


def test_what_was_ended_meanwhile_is_not_brought_back(world: FakeWorld) -> None:
    kept("shop", NOW + timedelta(hours=1))
    killed_while_waiting(extending(), extension())
    entry = RequestsHook().read("shop")
    RequestsHook().change(entry.model_copy(update={"expires_at": NOW}))
    (child,) = world.runs.values()
    child.state = "failed"
    with pytest.raises(Refused):
        run(extending(), extension())

    assert load_service("shop").expires_at == NOW
