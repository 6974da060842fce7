"""One VM for one person: from the form to a monitored VM, and back to nothing."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import pytest

from lab.airflow.beside import Beside
from lab.airflow.client import Airflow
from lab.airflow.wait import until
from lab.demo import world as worlds
from lab.settings import NETNS

pytestmark = pytest.mark.timeout(2400)
FORM = {"owner": "Ada", "purpose": "a test of the lab", "size": "small"}
SYSTEMS = {"vms", "leases", "certificates", "nodes", "records", "monitored", "machines"}
GRACE_S = 600  # after this OpenNebula ends a VM that nobody else did
REVIEW_S = 300  # how often `expire_requests` looks


def ask(airflow: Airflow, name: str, **asked: Any) -> tuple[worlds.Vm, ...]:
    """Ask for a VM, wait until it is there, and look whether all systems know it."""
    airflow.wait_for_dag("request_vm")
    run_id = airflow.trigger("request_vm", name=name, **FORM, **asked)
    state = airflow.wait_for_run("request_vm", run_id, 600)
    (task,) = airflow.tasks("request_vm", run_id)
    log = airflow.log("request_vm", run_id, task)
    assert state == "success", log
    now = worlds.snapshot()
    (vm,) = vms = worlds.vms_of(now, name)
    assert any(f"{vm.fqdn} is ready" in line for line in log)
    assert {trace.partition(":")[0] for trace in worlds.traces(now, vms)} == SYSTEMS
    return vms


def answer(url: str) -> str:
    """Return what somebody in the lab's network gets from a VM, by its name."""
    command = ["ip", "netns", "exec", NETNS, "curl", "--silent", "--fail", "--max-time", "10", url]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def end_now(airflow: Airflow, name: str) -> None:
    """End it at once by its form, which offers it as soon as it is parsed again."""
    until_offered(airflow, "expire_requests", "end_now", name)
    run_id = airflow.trigger("expire_requests", end_now=name)
    assert airflow.wait_for_run("expire_requests", run_id, 400) == "success"


def keep(airflow: Airflow, name: str, lifetime: str) -> None:
    """Keep it longer, by its form."""
    until_offered(airflow, "extend_request", "service", name)
    run_id = airflow.trigger("extend_request", service=name, lifetime=lifetime)
    assert airflow.wait_for_run("extend_request", run_id, 600) == "success"


def until_offered(airflow: Airflow, dag: str, field: str, name: str) -> None:
    def there() -> bool:
        form = airflow.get(f"/dags/{dag}/details")["params"]
        return name in form[field]["schema"]["enum"]

    until(there, 120, f"the form of {dag} offers {name}", every=1)


def reminded(airflow: Airflow, name: str) -> list[str]:
    """Return what the last ten reviews told of its end, which others would get by mail."""
    path = "/dags/expire_requests/dagRuns"
    runs = airflow.get(path, limit=10, order_by="-run_after")["dag_runs"]
    lines = [
        line
        for run in runs
        for task in airflow.tasks("expire_requests", run["dag_run_id"])
        if task.step == "remind_owner" and task.started
        for line in airflow.log("expire_requests", run["dag_run_id"], task)
    ]
    return [line for line in lines if f"{name} of {FORM['owner']} ends at" in line]


def until_gone(name: str, seconds: float) -> None:
    """Wait until OpenNebula has no VM of that name any more."""
    until(lambda: not worlds.vms_of(worlds.snapshot(), name), seconds, f"{name} is gone", every=5)


def until_forgotten(airflow: Airflow, name: str) -> None:
    """Wait until the DAG of a request has gone, which is the last thing that goes."""
    gone = lambda: airflow.get(f"/dags/rollout_{name}")["is_stale"]  # noqa: E731
    until(gone, REVIEW_S + 300, f"rollout_{name} is gone", every=5)


@pytest.mark.lab
def test_from_the_form_to_a_vm_that_answers_and_back_to_no_trace(airflow: Airflow) -> None:
    vms = ask(airflow, "ask-shop", offer="shop", lifetime="2d")

    assert "1.0" in answer(f"http://{vms[0].fqdn}:8080/health")

    end_now(airflow, "ask-shop")
    assert worlds.traces(worlds.snapshot(), vms) == []


@pytest.mark.long
def test_it_is_kept_longer_and_its_owner_is_reminded_of_the_new_end(airflow: Airflow) -> None:
    """OpenNebula ends a VM when it was made to end, so a new one comes with the new end."""
    vms = ask(airflow, "ask-kept", offer="base", lifetime="20m")
    keep(airflow, "ask-kept", "30m")  # the reminder is due at its half

    now = worlds.snapshot()
    assert worlds.traces(now, vms) == []
    (kept,) = worlds.vms_of(now, "ask-kept")
    assert reminded(airflow, "ask-kept") == []
    told = lambda: reminded(airflow, "ask-kept")  # noqa: E731
    until(told, 900 + REVIEW_S + 120, "a reminder", every=5)

    time.sleep(REVIEW_S)  # its first end has passed, and one more review
    assert worlds.vms_of(worlds.snapshot(), "ask-kept") == (kept,)
    assert len(reminded(airflow, "ask-kept")) == 1
    end_now(airflow, "ask-kept")
    assert worlds.traces(worlds.snapshot(), [kept]) == []


@pytest.mark.long
def test_it_ends_by_itself_and_leaves_no_trace(airflow: Airflow) -> None:
    vms = ask(airflow, "ask-base", offer="base", lifetime="6m")

    until_gone("ask-base", 360 + REVIEW_S + 120)
    until_forgotten(airflow, "ask-base")
    assert worlds.traces(worlds.snapshot(), vms) == []


@pytest.mark.long
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
