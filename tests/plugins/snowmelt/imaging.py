"""A refresh of `debian-12`, as the tests of its steps make it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from snowmelt.operators.image import ImportImage, PointTemplates
from snowmelt.operators.image_plan import PlanRefresh
from tests.plugins.snowmelt.fake_images import add_image, add_template
from tests.plugins.snowmelt.kit import OLD, Make, context, run, service, serving
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


@pytest.fixture
def one_image(world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def point(refresh: dict[str, Any]) -> None:
    PointTemplates(task_id="t", refresh=refresh).execute(context())


def refreshed(world: FakeWorld, version: str) -> dict[str, Any]:
    refresh = planned(version=version)
    run(bring_in(refresh))
    point(refresh)
    return refresh
