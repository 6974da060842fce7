"""When the rotation leaves a service alone: in a blackout, before its window, in a deployment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lab.airflow.wait import until
from tests.lab.fleet import ROTATION_S, Fleet, entry, rebuilt, shut

pytestmark = [pytest.mark.long, pytest.mark.timeout(2400)]
RELEASES = {"1.0": "1.1", "1.1": "1.0"}


def span(fleet: Fleet, service: str, run_id: str) -> tuple[datetime, datetime]:
    """Return when a rollout began and ended, by Airflow's clock."""
    run = fleet.airflow.get(f"/dags/rollout_{service}/dagRuns/{run_id}")
    assert run["state"] == "success", run
    return datetime.fromisoformat(run["start_date"]), datetime.fromisoformat(run["end_date"])


def opens_at(when: datetime, zone: str) -> dict[str, Any]:
    """Return a `maintenance` whose daily window opens at *when* by the clock on that wall."""
    local = when.astimezone(ZoneInfo(zone))
    hours = {"begins": f"{local:%H:%M}", "ends": f"{local + timedelta(hours=6):%H:%M}"}
    return {"time_zone": zone, "windows": [hours]}


def test_a_service_in_its_blackout_is_left_alone_and_another_waits_for_its_window(
    fleet: Fleet, tmp_path: Path
) -> None:
    day, before, now = fleet.free_day(), fleet.vms(), datetime.now(UTC)
    opening = now.replace(second=0, microsecond=0) + timedelta(minutes=6)
    with (
        fleet.under_load(tmp_path / "load.json"),
        entry("worker", maintenance=shut("stocktaking")),
        entry("accounts", maintenance=opens_at(opening, "Asia/Kolkata")),
    ):
        state, _ = fleet.rotate(day=day)

    assert (state, rebuilt(before, fleet.vms())) == ("success", ["accounts", "shop"])
    (exception,) = fleet.proof(day)["exceptions"]
    assert (exception["service"], exception["kind"]) == ("worker", "blackout")
    assert exception["reason"] == "stocktaking"
    assert exception["owner"] == "warehouse team"
    began = {
        name: span(fleet, name, f"rotation__{day}__{name}")[0] for name in ("accounts", "shop")
    }
    assert began["shop"] < opening <= began["accounts"] < opening + timedelta(minutes=1)


def test_a_deployment_goes_before_the_rotation_and_one_asked_for_later_after_it(
    fleet: Fleet, tmp_path: Path
) -> None:
    """Never both on one service; nobody loses what they asked for."""
    day, before = fleet.free_day(), fleet.vms()
    airflow, shop = fleet.airflow, next(each for each in fleet.services if each.name == "shop")
    first, rotation = RELEASES[before["shop"][0].release], f"rotation__{day}__shop"
    with fleet.under_load(tmp_path / "load.json"):
        early = airflow.trigger(shop.dag, release=first)
        shop.wait_for_step(early, "create_vm")
        run_id = airflow.trigger("rotate_fleet", day=day)
        until(lambda: rotation in fleet.rollouts(day), ROTATION_S, "shop's turn", every=0.5)
        late = airflow.trigger(shop.dag, release=RELEASES[first])
        assert airflow.wait_for_run("rotate_fleet", run_id, ROTATION_S) == "success"
        assert airflow.wait_for_run(shop.dag, late, 600) == "success"

    spans = [span(fleet, "shop", each) for each in (early, rotation, late)]
    assert all(ended <= begins for (_, ended), (begins, _) in pairwise(spans))
    assert {vm.release for vm in shop.vms()} == {RELEASES[first]}
    assert rebuilt(before, fleet.vms()) == ["accounts", "shop", "worker"]
