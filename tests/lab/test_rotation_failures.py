"""One service cannot be rebuilt: the others are, it serves on, and the proof says why.

Puppet Server is the certificate authority of all services, so while it is down none can be
rebuilt. What this shows of it is that it goes down when the last service is at it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lab.airflow.wait import until
from lab.demo import world as worlds
from lab.opennebula.switches import Switches
from lab.release.archive import sign
from lab.release.packages import RELEASES, build
from lab.settings import CHECKOUT, places
from lab.supervisor import supervisor_of
from tests.lab.fleet import Fleet, rebuilt

pytestmark = [pytest.mark.long, pytest.mark.timeout(2400)]


@contextmanager
def without_image(service: str) -> Iterator[None]:
    """The file of its image is gone from the datastore: OpenNebula cannot copy it to the host."""
    switches = Switches(places().of("opennebula") / "admin.sock")
    switches.set("fail", "prolog", match=f"{service}-*")
    try:
        yield
    finally:
        switches.clear()


@contextmanager
def broken_package(service: str, version: str) -> Iterator[None]:
    """The archive holds a package of that release that does not install."""
    good = next(r for r in RELEASES if (r.service, r.version) == (service, version))
    archive, key = places().of("repo"), places().secrets / "archive-key"
    build(replace(good, installs=False), archive)
    sign(archive, key)
    try:
        yield
    finally:
        build(good, archive)
        sign(archive, key)


@contextmanager
def puppet_server_down() -> Iterator[None]:
    """Puppet Server answers nobody."""
    supervisor_of(places()).stop("puppetserver")
    try:
        yield
    finally:
        subprocess.run([sys.executable, "-m", "lab", "up"], cwd=CHECKOUT, check=True)


def only_the_worker_failed(fleet: Fleet, day: str, why: str) -> None:
    """Say so of the proof of a day."""
    proof = fleet.proof(day)
    states = {service["name"]: service["state"] for service in proof["services"]}
    assert states == {"accounts": "rotated", "shop": "rotated", "worker": "failed"}
    first, *others = proof["objections"]
    assert first.startswith("worker: failed: ")
    assert why in first
    assert all(each.startswith("worker-") for each in others)  # new VMs that could not be removed


def test_a_missing_image_stops_one_service_only(fleet: Fleet, tmp_path: Path) -> None:
    day, before = fleet.free_day(), fleet.vms()
    with fleet.under_load(tmp_path / "load.json"), without_image("worker"):
        state, run_id = fleet.rotate(day=day)

    assert (state, rebuilt(before, fleet.vms())) == ("failed", ["accounts", "shop"])
    assert "worker failed" in fleet.log(run_id, "rotate")
    only_the_worker_failed(fleet, day, "failed to start")


def test_a_broken_package_stops_one_service_only_until_it_is_mended(
    fleet: Fleet, tmp_path: Path
) -> None:
    day, before = fleet.free_day(), fleet.vms()
    package = broken_package("worker", before["worker"][0].release)
    with fleet.under_load(tmp_path / "load.json"), package:
        state, _ = fleet.rotate(day=day)
    between = fleet.vms()
    assert (state, rebuilt(before, between)) == ("failed", ["accounts", "shop"])
    only_the_worker_failed(fleet, day, "Package[worker-app]")

    state, _ = fleet.rotate(day=day, again=True)

    assert (state, rebuilt(between, fleet.vms())) == ("success", ["worker"])
    assert fleet.proof(day)["objections"] == []


def test_puppet_server_goes_down_while_the_last_service_is_at_it(
    fleet: Fleet, tmp_path: Path
) -> None:
    """What could not be removed without the CA is removed by the next try."""
    day, before = fleet.free_day(), fleet.vms()
    last = fleet.services[-1]
    with fleet.under_load(tmp_path / "load.json"):
        run_id = fleet.airflow.trigger("rotate_fleet", day=day, at_once=1)
        rollout = f"rotation__{day}__{last.name}"
        until(lambda: rollout in fleet.rollouts(day), 1500, "the last one begins", every=0.5)
        last.wait_for_step(rollout, "create_vm")
        with puppet_server_down():
            state = fleet.airflow.wait_for_run("rotate_fleet", run_id, 1200)
    between = fleet.vms()
    assert (state, rebuilt(before, between)) == ("failed", ["accounts", "shop"])
    assert set(before["worker"]) <= set(between["worker"])
    only_the_worker_failed(fleet, day, "8140")

    state, _ = fleet.rotate(day=day, again=True)

    assert (state, rebuilt(between, fleet.vms())) == ("success", ["worker"])
    assert worlds.traces(worlds.snapshot(), between["worker"]) == []


def test_with_the_failure_budget_at_1_the_rest_is_not_started(fleet: Fleet, tmp_path: Path) -> None:
    day, before = fleet.free_day(), fleet.vms()
    with fleet.under_load(tmp_path / "load.json"), without_image("accounts"):
        state, run_id = fleet.rotate(day=day, at_once=1, failures=1)

    assert (state, fleet.vms()) == ("failed", before)
    assert list(fleet.rollouts(day)) == [f"rotation__{day}__accounts"]
    spent = "the failure budget is spent: accounts failed"
    assert f"shop was not started: {spent}" in fleet.log(run_id, "rotate")
    told = {service["name"]: service["reason"] for service in fleet.proof(day)["services"]}
    assert (told["shop"], told["worker"]) == (spent, spent)
