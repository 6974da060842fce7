"""What tests of a rotation share: a fleet of services, and the run of `rotate_fleet`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from include.catalogue.fleet import Fleet
from snowmelt.operators.fleet import RotateServices
from snowmelt.operators.fleet_plan import PlanRotation
from tests.plugins.snowmelt.kit import OLD, Ti, service, spec
from tests.plugins.snowmelt.world import FakeWorld

Catalogue = Callable[..., Path]


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
