"""One VM for one person: from the form to a monitored VM, and back to nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lab.airflow.beside import Beside
from lab.airflow.client import Airflow
from lab.demo import world as worlds

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(2400)]
FORM = {"owner": "Ada", "purpose": "a test of the lab", "size": "small"}
GRACE_S = 600  # after this OpenNebula ends a VM that nobody else did


def ask(airflow: Airflow, name: str, **asked: Any) -> tuple[worlds.Vm, ...]:
    """Ask for a VM and wait until it is there."""
    run_id = airflow.trigger("request_vm", name=name, **FORM, **asked)
    state = airflow.wait_for_run("request_vm", run_id, 600)
    (task,) = airflow.tasks("request_vm", run_id)
    log = airflow.log("request_vm", run_id, task)
    assert state == "success", log
    (vm,) = vms = worlds.vms_of(worlds.snapshot(), name)
    assert any(f"{vm.fqdn} is ready" in line for line in log)
    return vms


def until_gone(name: str, seconds: float) -> worlds.World:
    """Return the world once OpenNebula has no VM of that name any more."""
    end = time.monotonic() + seconds
    while worlds.vms_of(now := worlds.snapshot(), name):
        assert time.monotonic() < end, f"{name} is still there"
        time.sleep(5)
    return now


def until_forgotten(airflow: Airflow, name: str, seconds: float = 600) -> None:
    """Wait until the DAG of a request has gone, which is the last thing that goes."""
    end = time.monotonic() + seconds
    while not airflow.get(f"/dags/rollout_{name}")["is_stale"]:
        assert time.monotonic() < end, f"rollout_{name} is still there"
        time.sleep(5)


@pytest.mark.parametrize("offer", ["base", "shop"])
def test_from_the_form_to_a_monitored_vm_and_at_its_end_no_trace(
    airflow: Airflow, offer: str
) -> None:
    name = f"ask-{offer}"
    vms = ask(airflow, name, offer=offer, lifetime="6m")

    assert worlds.traces(worlds.snapshot(), vms), "it is known nowhere"
    until_gone(name, 900)
    until_forgotten(airflow, name)
    assert worlds.traces(worlds.snapshot(), vms) == []


def test_it_ends_with_airflow_switched_off_and_is_forgotten_afterwards(
    airflow: Airflow, beside: Beside
) -> None:
    vms = ask(airflow, "ask-off", offer="base", lifetime="4m")
    beside.stop()
    try:
        until_gone("ask-off", 240 + GRACE_S + 120)
    finally:
        beside.start(lambda _: None).close()

    until_forgotten(airflow, "ask-off")
    assert worlds.traces(worlds.snapshot(), vms) == []
