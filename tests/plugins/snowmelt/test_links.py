"""Links from a task to the thing that it made."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from snowmelt.links import MonitoringLink, PuppetReportLink, VmLink
from snowmelt.operators.enrolment import EnrolInPuppet
from snowmelt.operators.monitoring import MonitorVm
from snowmelt.operators.vm import CreateVm

FQDN = "shop-k3f9x2q-0.lab.test"


def operator(**attributes: Any) -> Any:
    """Return what a link is given: an operator with its connections and its VM."""
    conns = SimpleNamespace(opennebula="one", puppetdb="pdb", monitoring="mon")
    return SimpleNamespace(connections=conns, vm={"fqdn": FQDN}, **attributes)


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say where the web pages of each system are."""
    for conn_id, page in {
        "ONE": "https://one.example.org/vm/{vm_id}",
        "PDB": "https://board.example.org/node/{certname}",
        "MON": "https://mon.example.org/host?name={host}",
    }.items():
        value = json.dumps({"conn_type": "http", "extra": {"web": page}})
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", value)


@pytest.mark.usefixtures("pages")
def test_each_link_leads_to_the_page_of_the_vm() -> None:
    assert VmLink().get_link(operator(vm_id=7), ti_key=None) == "https://one.example.org/vm/7"
    assert PuppetReportLink().get_link(operator(), ti_key=None) == (
        f"https://board.example.org/node/{FQDN}"
    )
    assert MonitoringLink().get_link(operator(), ti_key=None) == (
        f"https://mon.example.org/host?name={FQDN}"
    )


@pytest.mark.usefixtures("pages")
def test_the_very_first_vm_of_a_cloud_has_a_page_too() -> None:
    assert VmLink().get_link(operator(vm_id=0), ti_key=None) == "https://one.example.org/vm/0"


@pytest.mark.usefixtures("pages")
def test_a_task_that_made_no_vm_has_no_link() -> None:
    assert VmLink().get_link(operator(vm_id=None), ti_key=None) == ""


def test_a_site_without_web_pages_has_no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    for conn_id in ("ONE", "PDB", "MON"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", json.dumps({"conn_type": "http"}))

    for link in (VmLink(), PuppetReportLink(), MonitoringLink()):
        assert link.get_link(operator(vm_id=7), ti_key=None) == ""


def test_the_tasks_that_make_something_have_their_link() -> None:
    assert [link.name for link in CreateVm.operator_extra_links] == ["VM"]
    assert [link.name for link in EnrolInPuppet.operator_extra_links] == ["Puppet report"]
    assert [link.name for link in MonitorVm.operator_extra_links] == ["Monitoring"]
