"""Bring in a new image, point templates at it, and take both back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowRuntimeError, AirflowSkipException
from airflow.sdk.execution_time.comms import ErrorResponse

from snowmelt.errors import Busy, Conflict, NotAllowed, Refused, SnowmeltError, Unreachable
from snowmelt.operators.base import LATE
from snowmelt.operators.image import (
    CleanImages,
    ImportImage,
    PointTemplates,
    UndoRefresh,
)
from snowmelt.operators.image_plan import PlanRefresh
from tests.plugins.snowmelt.fake_images import add_image, add_template, images_of
from tests.plugins.snowmelt.kit import (
    OLD,
    Make,
    Ti,
    context,
    killed_while_waiting,
    run,
    service,
    serving,
)
from tests.plugins.snowmelt.world import FakeWorld

NEW_IMAGE = "debian-12-2"
FORM = {
    "image": "debian-12",
    "version": "2",
    "path": "/images/debian-12.qcow2",
    "app": None,
    "import_minutes": 10,
    "cloud": "snowmelt_opennebula",
}


@pytest.fixture(autouse=True)
def site(world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `shop` run on template `t`, whose first disk is of debian-12."""
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path))
    entry = service().model_dump(mode="json")
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(entry))
    add_image(world, "debian-12")
    add_image(world, "data")
    add_template(world, "t", "debian-12", "data")
    serving(world, f"shop-{OLD}-0")


def planned(**form: Any) -> dict[str, Any]:
    task = PlanRefresh(task_id="t")
    decided: dict[str, Any] = task.execute(context(**{**FORM, **form}))
    return decided


def bring_in(refresh: dict[str, Any], deferrable: bool = True) -> Make:
    return lambda: ImportImage(task_id="t", refresh=refresh, deferrable=deferrable)


def names(world: FakeWorld) -> list[str]:
    return [image.name for image in world.images.values()]


def test_the_plan_names_the_template_its_trial_and_the_image() -> None:
    decided = planned()

    (change,) = decided["refresh"]["changes"]
    (trial,) = decided["trials"]
    assert [disk["IMAGE"] for disk in change["after"]] == [NEW_IMAGE, "data"]
    assert trial["plan"]["new"][0]["name"].startswith("shop-trial-")
    assert trial["plan"]["release"] == "1.0"
    assert trial["tries_for"] == "shop"


def test_a_service_whose_file_is_wrong_keeps_no_other_from_the_new_image(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "wiki.yaml").write_text("name: wiki\n")

    (change,) = planned()["refresh"]["changes"]
    assert change["service"] == "shop"
    assert f"left out: {tmp_path}/wiki.yaml: owner: is missing" in caplog.text


@pytest.mark.parametrize("form", [{"image": "nope"}, {"app": 3}, {"path": None}])
def test_what_cannot_be_is_refused_before_anything_is_made(
    world: FakeWorld, form: dict[str, Any]
) -> None:
    before = world.everything()

    with pytest.raises(Refused):
        planned(**form)
    assert world.everything() == before


def test_an_image_is_brought_in_and_waited_for(world: FakeWorld, deferrable: bool) -> None:
    refresh = planned()
    trials = run(bring_in(refresh, deferrable))

    assert names(world) == ["debian-12", "data", NEW_IMAGE]
    assert world.images[2].state == "ready"
    assert [trial["vm"]["name"] for trial in trials] == [
        refresh["trials"][0]["plan"]["new"][0]["name"]
    ]


def test_the_same_version_again_is_the_same_image(world: FakeWorld) -> None:
    refresh = planned()
    killed_while_waiting(bring_in(refresh))
    run(bring_in(refresh))
    run(bring_in(refresh))

    assert names(world).count(NEW_IMAGE) == 1


def test_a_copy_that_fails_is_removed_and_the_reason_told(world: FakeWorld) -> None:
    world.bad_images.add(NEW_IMAGE)

    with pytest.raises(SnowmeltError, match="no such file"):
        run(bring_in(planned()))
    assert world.images[2].state == "deleting"


def test_a_dry_run_brings_nothing_in(world: FakeWorld) -> None:
    refresh = planned(dry_run=True)
    before = world.everything()

    assert run(bring_in(refresh)) == []
    for kind in (PointTemplates, CleanImages):
        with pytest.raises(AirflowSkipException):
            kind(task_id="t", refresh=refresh).execute(context())
    assert world.everything() == before


def test_templates_that_have_the_version_already_need_no_trial(world: FakeWorld) -> None:
    add_image(world, NEW_IMAGE, family="debian-12", version="2")
    add_template(world, "t", NEW_IMAGE)
    del world.templates[0]
    refresh = planned()

    assert run(bring_in(refresh)) == []
    assert refresh["trials"] == []


def point(refresh: dict[str, Any]) -> None:
    PointTemplates(task_id="t", refresh=refresh).execute(context())


def test_the_template_keeps_all_but_the_image(world: FakeWorld) -> None:
    before = world.templates[0].disks
    refresh = planned()
    run(bring_in(refresh))
    point(refresh)
    disks = world.templates[0].disks

    assert disks[0] == {**before[0], "IMAGE": NEW_IMAGE}
    assert disks[1] == before[1]


def test_pointing_twice_is_pointing_once(world: FakeWorld) -> None:
    refreshed(world, "2")
    refresh = refreshed(world, "3")
    before = world.everything()
    point(refresh)

    assert world.everything() == before


def test_a_template_that_somebody_changed_during_the_import_is_not_overwritten(
    world: FakeWorld,
) -> None:
    refresh = planned()
    run(bring_in(refresh))
    theirs = tuple({**disk, "SIZE": "2000"} for disk in world.templates[0].disks)
    world.templates[0] = replace(world.templates[0], disks=theirs)

    with pytest.raises(Conflict, match="somebody has changed"):
        point(refresh)
    assert world.templates[0].disks == theirs


def test_no_template_points_at_an_image_that_went_bad_or_away_during_the_trials(
    world: FakeWorld,
) -> None:
    refresh, before = planned(), world.templates[0].disks
    run(bring_in(refresh))
    world.images[2] = replace(world.images[2], state="disabled")
    with pytest.raises(Refused, match="is disabled"):
        point(refresh)
    del world.images[2]
    with pytest.raises(Refused, match="was removed by somebody"):
        point(refresh)

    assert world.templates[0].disks == before


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


def clean(refresh: dict[str, Any]) -> None:
    run(lambda: CleanImages(task_id="t", refresh=refresh))


def refreshed(world: FakeWorld, version: str) -> dict[str, Any]:
    refresh = planned(version=version)
    run(bring_in(refresh))
    point(refresh)
    return refresh


def test_the_version_before_goes_when_no_vm_uses_it(world: FakeWorld) -> None:
    refreshed(world, "2")
    refresh = refreshed(world, "3")
    clean(refresh)

    assert names(world) == ["debian-12", "data", "debian-12-3"]


def test_the_version_before_stays_while_a_vm_uses_it(world: FakeWorld) -> None:
    refreshed(world, "2")
    vm = serving(world, f"shop-{OLD}-1")
    refresh = refreshed(world, "3")
    clean(refresh)
    assert NEW_IMAGE in names(world)
    vm.phase = "done"
    clean(refresh)

    assert NEW_IMAGE not in names(world)


def test_a_vm_that_takes_it_up_meanwhile_keeps_it(world: FakeWorld) -> None:
    refreshed(world, "2")
    refresh = refreshed(world, "3")
    world.fail("remove_image", Busy("in use"))
    clean(refresh)

    assert NEW_IMAGE in names(world)


def test_an_old_version_that_may_not_be_removed_fails_no_refresh(world: FakeWorld) -> None:
    """All VMs come from the new one by then; `clean_up` is who says so every day."""
    refreshed(world, "2")
    refresh = refreshed(world, "3")
    world.fail("remove_image", NotAllowed("it is locked"))
    clean(refresh)

    assert NEW_IMAGE in names(world)


def test_a_front_end_that_is_away_is_asked_again_by_airflow(world: FakeWorld) -> None:
    world.fail("ensure_image", Unreachable("refused"))

    with pytest.raises(Unreachable):
        run(bring_in(planned()))
