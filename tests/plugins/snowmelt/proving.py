"""A fleet whose day is proved: its store, its rollouts of that day, and the proof."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from include.planner import rollout_id
from snowmelt.operators.fleet_plan import PlanRotation
from snowmelt.operators.fleet_proof import WriteProof
from snowmelt.operators.verify import Verify
from tests.plugins.snowmelt.kit import OLD, Ti, planned, run, service, serving, two_old
from tests.plugins.snowmelt.world import FakeRun, FakeWorld

BEGAN = datetime.now(UTC).date() - timedelta(days=10)


def day(number: int) -> str:
    """Return a day that is past: one that has not come is refused."""
    return (BEGAN + timedelta(days=number)).isoformat()


DAY = day(0)
RUN_ID = f"rotation__{DAY}__shop"
ROLLOUT = rollout_id("rollout_shop", RUN_ID)
NAMES = [f"shop-{ROLLOUT}-{slot}" for slot in (0, 1)]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the store of an installation that has no Connection for its key."""
    folder = tmp_path / "services"
    folder.mkdir()
    write_service(folder)
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(folder))
    monkeypatch.setenv("SNOWMELT_STORE", f"file://{tmp_path}/store")
    monkeypatch.setattr("snowmelt.proof.keys.AIRFLOW_HOME", str(tmp_path))

    def unknown(conn_id: str) -> None:
        raise AirflowNotFoundException(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", unknown)
    return tmp_path / "store"


def write_service(folder: Path, **changes: Any) -> None:
    entry = service(**changes).model_dump(mode="json")
    (folder / "shop.yaml").write_text(yaml.safe_dump(entry))


def rebuilt(world: FakeWorld, counted: bool = True, restarted: bool = False) -> None:
    """Let the rotation of `shop` have ended well, as far as its `verify`."""
    old = two_old(world)
    rollout = planned(service(), rollout=ROLLOUT)
    for vm in old:
        vm.phase = "done"
    for kind in ("certificates", "nodes", "names", "hosts"):
        getattr(world, kind).clear()
    world.pools["shop"].clear()
    for name in NAMES:
        serving(world, name).reported = False
    world.clock.pass_s(5)
    world.tick()
    left = [
        {
            "name": f"shop-{OLD}-{slot}",
            "left": "2026-11-24T02:00:00+00:00",
            "differences": {NAMES[slot]: ["package nmap 7.93: on the old VM only"]},
            **(
                {"restarted": True} if restarted and slot else {"failures": slot} if counted else {}
            ),
        }
        for slot in (0, 1)
    ]
    verified(rollout, left)
    world.runs["rollout_shop", RUN_ID] = FakeRun(conf={}, state="success")


def verified(rollout: dict[str, Any], left: list[dict[str, Any]]) -> None:
    """Run the last step of a rollout, which leaves the evidence."""
    ti = Ti(run_id=RUN_ID, pulled={"old.leave_balancer": left})
    context = {"ti": ti, "dag_run": SimpleNamespace(dag_id=ti.dag_id, run_id=ti.run_id)}

    def verify() -> Verify:
        task = Verify(task_id="verify", rollout=rollout)
        task.upstream_task_ids = {"old.terminate_vm"}
        return task

    run(verify, context)


def rotated(world: FakeWorld, when: str, service: str = "shop", **changes: Any) -> FakeRun:
    """Let the rotation of a service on a day have ended, well unless *changes* say otherwise."""
    run_id = f"rotation__{when}__{service}"
    made = FakeRun(**{"conf": {}, "state": "success", **changes})
    world.runs[f"rollout_{service}", run_id] = made
    return made


def context(world: FakeWorld, when: str = DAY, held: Any = None, **params: Any) -> Any:
    asked: dict[str, Any] = {
        "services": None,
        "spread": None,
        "again": False,
        "day": when,
        "dry_run": False,
    }
    asked.update(failures=None, at_once=None)
    ti = Ti(dag_id="rotate_fleet", pulled={"rotate held": held})
    now = datetime.fromtimestamp(world.clock.now, UTC)
    dag_run = SimpleNamespace(dag_id=ti.dag_id, run_id=ti.run_id, run_after=now, run_type="manual")
    return {"ti": ti, "params": {**asked, **params}, "dag_run": dag_run}


def prove(world: FakeWorld, when: str = DAY, held: Any = None, **params: Any) -> Any:
    ctx = context(world, when, held, **params)
    plan = PlanRotation(task_id="plan").execute(ctx)
    return WriteProof(task_id="write_proof", plan=plan).execute(ctx)


def written(store: Path, when: str = DAY) -> dict[str, Any]:
    file: dict[str, Any] = json.loads((store / f"proof/{when}.json").read_text())
    return file
