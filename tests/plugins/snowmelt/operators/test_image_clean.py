"""Superseded versions go when nothing uses them."""

from __future__ import annotations

from typing import Any

import pytest

from snowmelt.errors import Busy, NotAllowed
from snowmelt.operators.image_clean import CleanImages
from tests.plugins.snowmelt.imaging import (
    NEW_IMAGE,
    names,
    refreshed,
)
from tests.plugins.snowmelt.kit import (
    OLD,
    run,
    serving,
)
from tests.plugins.snowmelt.world import FakeWorld

pytestmark = pytest.mark.usefixtures("one_image")


def clean(refresh: dict[str, Any]) -> None:
    run(lambda: CleanImages(task_id="t", refresh=refresh))


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
