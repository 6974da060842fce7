"""Take a refresh back: templates point where they did, and the new image goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowRuntimeError, AirflowSkipException
from airflow.sdk.execution_time.comms import ErrorResponse

from snowmelt.errors import Busy, Conflict, SnowmeltError, Unreachable
from snowmelt.operators.base import LATE
from snowmelt.operators.image_undo import UndoRefresh
from tests.plugins.snowmelt.fake_images import add_image, add_template, images_of
from tests.plugins.snowmelt.imaging import (
    NEW_IMAGE,
    bring_in,
    names,
    planned,
    point,
    refreshed,
)
from tests.plugins.snowmelt.kit import (
    OLD,
    Make,
    Ti,
    context,
    killed_while_waiting,
    run,
    serving,
)
from tests.plugins.snowmelt.world import FakeWorld

pytestmark = pytest.mark.usefixtures("one_image")


def undoing(refresh: dict[str, Any]) -> Make:
    def make() -> UndoRefresh:
        with DAG("refresh_image", schedule=None):
            task = UndoRefresh(task_id="undo", refresh=refresh)
            EmptyOperator(task_id="point_templates") >> task
        return task

    return make


def undo(refresh: dict[str, Any], **states: str) -> None:
    run(undoing(refresh), context(Ti(states=states)))


FAILED = {"point_templates_0": "failed"}


def test_a_failure_takes_the_new_image_away_and_the_old_one_stays(world: FakeWorld) -> None:
    refresh = planned()
    run(bring_in(refresh))
    undo(refresh, **FAILED)

    assert names(world) == ["debian-12", "data"]
    assert images_of(world, 0) == ["debian-12", "data"]


def test_templates_point_back_when_one_of_them_could_not_follow(world: FakeWorld) -> None:
    before = world.templates[0].disks
    refresh = planned()
    run(bring_in(refresh))
    point(refresh)
    undo(refresh, **FAILED)

    assert world.templates[0].disks == before
    assert NEW_IMAGE not in names(world)


def test_an_undo_that_broke_off_goes_on_where_it_stopped(world: FakeWorld) -> None:
    """It had pointed the template back, and not yet asked for the end of the image."""
    before = world.templates[0].disks
    refresh = planned()
    run(bring_in(refresh))
    point(refresh)
    world.fail("remove_image", Unreachable("refused"))
    with pytest.raises(Unreachable):
        undo(refresh, **FAILED)
    for _ in range(2):
        undo(refresh, **FAILED)

    assert world.templates[0].disks == before
    assert NEW_IMAGE not in names(world)


def test_a_run_that_is_cleared_late_leaves_alone_what_a_later_run_pointed(
    world: FakeWorld,
) -> None:
    """Of the same version: the disks in the templates look the same, for they name it only."""
    late = planned()
    run(bring_in(late))
    undo(late, **FAILED)
    again = planned()
    again["refresh"]["image"]["run"] = "another"
    run(bring_in(again))
    point(again)
    before = world.everything()
    undo(late, **FAILED)

    assert world.everything() == before


def test_no_template_points_back_at_an_image_that_has_gone(
    world: FakeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing could be made of it then; as it is, it can."""
    refresh = planned()
    run(bring_in(refresh))
    point(refresh)
    del world.images[0]

    with pytest.raises(Busy, match="VM template t"):
        undo(refresh, **FAILED)
    assert world.templates[0].disks[0]["IMAGE"] == NEW_IMAGE
    assert NEW_IMAGE in names(world)
    assert "VM template t stays: debian-12 has gone" in capsys.readouterr().out


def test_an_image_that_somebody_uploaded_under_the_name_is_not_taken_away(
    world: FakeWorld,
) -> None:
    add_image(world, NEW_IMAGE)
    refresh = planned()
    with pytest.raises(Conflict):
        run(bring_in(refresh))
    undo(refresh, **FAILED)

    assert NEW_IMAGE in names(world)


def test_a_version_to_go_back_to_stays_when_its_trial_fails(world: FakeWorld) -> None:
    """VMs still use it; this run found it and did not make it."""
    refreshed(world, "2")
    serving(world, f"shop-{OLD}-1")
    refreshed(world, "3")
    refresh = planned()
    refresh["refresh"]["image"]["run"] = "another"
    run(bring_in(refresh))
    undo(refresh, **FAILED)

    assert NEW_IMAGE in names(world)


def test_a_template_that_is_gone_is_no_obstacle(world: FakeWorld) -> None:
    refresh = planned()
    run(bring_in(refresh))
    world.templates.clear()
    undo(refresh, **FAILED)

    assert NEW_IMAGE not in names(world)


def test_what_somebody_else_changed_meanwhile_is_not_put_back(world: FakeWorld) -> None:
    refresh = planned()
    add_template(world, "other", "data")
    theirs = world.templates[1].disks
    world.templates[0] = type(world.templates[0])(
        template_id=0, name="t", owner="oneadmin", disks=theirs
    )
    undo(refresh, **FAILED)

    assert world.templates[0].disks == theirs


def test_an_image_that_a_vm_has_stays_until_that_is_gone(world: FakeWorld) -> None:
    refresh = planned()
    run(bring_in(refresh))
    point(refresh)
    serving(world, f"shop-{OLD}-1")

    with pytest.raises(Busy, match="1 VMs"):
        undo(refresh, **FAILED)
    assert NEW_IMAGE in names(world)


def test_an_airflow_that_does_not_say_what_failed_is_asked_again(world: FakeWorld) -> None:
    refresh = planned()
    ctx = context(Ti(states=FAILED))

    def refuse(**_: Any) -> Any:
        raise AirflowRuntimeError(ErrorResponse(detail={"status": 503}))

    ctx["ti"].get_task_states = refuse
    with pytest.raises(Unreachable, match="does not say which steps have failed"):
        run(undoing(refresh), ctx)


def test_undoing_twice_changes_nothing(world: FakeWorld) -> None:
    refresh = planned()
    run(bring_in(refresh))
    undo(refresh, **FAILED)
    before = world.everything()
    undo(refresh, **FAILED)

    assert world.everything() == before


def comes_late(refresh: dict[str, Any]) -> None:
    run(bring_in(refresh))


def points_late(refresh: dict[str, Any]) -> None:
    run(bring_in(refresh))
    point(refresh)


@pytest.mark.parametrize("late", [comes_late, points_late])
def test_what_a_step_does_that_has_not_heard_of_its_end_is_undone_too(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch, late: Callable[[dict[str, Any]], None]
) -> None:
    """Airflow lets a task that somebody marked as failed act until its next heartbeat."""
    before, began, waited = world.templates[0].disks, world.clock.now, list[float]()
    refresh, as_it_is = planned(), UndoRefresh.remove_made

    def after_it(self: UndoRefresh, context: Any, event: dict[str, Any]) -> Any:
        waited.append(world.clock.now - began)
        late(refresh)
        return as_it_is(self, context, event)

    monkeypatch.setattr(UndoRefresh, "remove_made", after_it)
    undo(refresh, **FAILED)

    assert waited[0] >= LATE.total_seconds()
    assert names(world) == ["debian-12", "data"]
    assert world.templates[0].disks == before


def test_a_crash_while_the_image_is_being_removed_waits_for_it_again(world: FakeWorld) -> None:
    refresh, failed = planned(), context(Ti(states=FAILED))
    run(bring_in(refresh))
    killed_while_waiting(undoing(refresh), failed, "remove_made")
    assert world.images[2].state == "deleting"
    run(undoing(refresh), failed)

    assert names(world) == ["debian-12", "data"]
    assert world.story.count(f"remove image {NEW_IMAGE}") == 1


def test_an_image_that_cannot_be_removed_fails_the_undo(world: FakeWorld) -> None:
    world.stuck_images.add(NEW_IMAGE)
    refresh = planned()
    run(bring_in(refresh))

    with pytest.raises(SnowmeltError, match="cannot remove it"):
        undo(refresh, **FAILED)


def test_where_nothing_failed_nothing_is_undone(world: FakeWorld) -> None:
    refresh = planned()
    run(bring_in(refresh))

    with pytest.raises(AirflowSkipException):
        undo(refresh, point_templates_0="success")
    assert NEW_IMAGE in names(world)
