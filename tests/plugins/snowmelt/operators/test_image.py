"""Bring in a new image, and point templates at it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from snowmelt.errors import Conflict, Refused, SnowmeltError, Unreachable
from snowmelt.operators.image import PointTemplates
from snowmelt.operators.image_clean import CleanImages
from tests.plugins.snowmelt.fake_images import add_image, add_template
from tests.plugins.snowmelt.imaging import (
    NEW_IMAGE,
    bring_in,
    names,
    planned,
    point,
    refreshed,
)
from tests.plugins.snowmelt.kit import (
    context,
    killed_while_waiting,
    run,
)
from tests.plugins.snowmelt.world import FakeWorld

pytestmark = pytest.mark.usefixtures("one_image")


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


def test_a_front_end_that_is_away_is_asked_again_by_airflow(world: FakeWorld) -> None:
    world.fail("ensure_image", Unreachable("refused"))

    with pytest.raises(Unreachable):
        run(bring_in(planned()))
