"""The namespace driver, on machines that only remember what was asked of them."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.opennebula.drivers import Job, NamespaceDriver
from tests.lab_opennebula.conftest import wait_until


class _Machines:
    """lab.vm.Machines without machines."""

    def __init__(self) -> None:
        self.running: dict[str, Any] = {}
        self.deaf = False

    def create(self, name: str, spec: Any) -> None:
        if spec.image == Path("/broken"):
            raise RuntimeError("no such image")
        self.running[name] = spec

    def shutdown(self, name: str) -> None:
        if not self.deaf:
            self.running.pop(name, None)

    def destroy(self, name: str) -> None:
        self.running.pop(name, None)

    def is_running(self, name: str) -> bool:
        return name in self.running


def _run(driver: NamespaceDriver, operation: str, **more: Any) -> str | None:
    ends: list[str | None] = []
    context: Mapping[str, str] = {"SET_HOSTNAME": "web-0"}
    job = Job(operation, 7, "web-0", "host-a", context=context, **{"image": "/image", **more})
    driver.run(job, ends.append)
    wait_until(lambda: bool(ends))
    return ends[0]


@pytest.fixture
def machines() -> _Machines:
    """What the driver drives."""
    return _Machines()


@pytest.fixture
def driver(tmp_path: Path, machines: _Machines, monkeypatch: pytest.MonkeyPatch) -> NamespaceDriver:
    """A driver that gives a guest 0.3 s to shut down."""
    made = NamespaceDriver(tmp_path, shutdown_timeout=0.3)
    monkeypatch.setattr(made, "_machines", machines)
    return made


def test_boot_hands_over_address_context_and_token(
    driver: NamespaceDriver, machines: _Machines
) -> None:
    """The machine's name is the id's, not the VM's: names are not unique."""
    address = {"ip": "198.18.0.101", "mac": "02:00:c6:12:00:65"}

    assert _run(driver, "boot", token="t", **address) is None

    spec = machines.running["one-7"]
    assert (spec.ip, spec.mac, spec.token) == (*address.values(), "t")
    assert spec.context == {"SET_HOSTNAME": "web-0"}
    assert driver.alive(7)


def test_boot_of_a_machine_that_runs_already(driver: NamespaceDriver, machines: _Machines) -> None:
    """The server was killed between the boot and its commit: the machine is kept."""
    mine = machines.running["one-7"] = SimpleNamespace()

    assert _run(driver, "boot") is None
    assert machines.running["one-7"] is mine


def test_boot_that_fails_says_why(driver: NamespaceDriver) -> None:
    """The reason goes into the VM's ERROR."""
    assert _run(driver, "boot", image="/broken") == "RuntimeError: no such image"


def test_guest_that_does_not_shut_down(driver: NamespaceDriver, machines: _Machines) -> None:
    """After its time the operation fails, and the machine still runs."""
    _run(driver, "boot")
    machines.deaf = True

    assert "did not shut down in 0.3 s" in (_run(driver, "shutdown") or "")
    assert driver.alive(7)


def test_epilog_removes_the_machine(driver: NamespaceDriver) -> None:
    """Whether it runs or not."""
    _run(driver, "boot")

    assert _run(driver, "epilog") is None
    assert _run(driver, "epilog") is None
    assert not driver.alive(7)
