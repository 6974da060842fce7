"""Placement: the window, one VM per host and round, and reasons."""

import time
from pathlib import Path

import pytest

from lab.opennebula.world import Settings
from tests.lab_opennebula.conftest import NETWORK, TEMPLATE, Front, start, wait_until


def _message(front: Front, vm: int) -> str:
    return front.server.world.vms.things[vm].user_template.text("SCHED_MESSAGE")


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ('CPU="1000"', "[HOST] Not enough CPU on hosts: 0,1,2"),
        (
            'SCHED_REQUIREMENTS="HOSTNAME=\\"nohost\\""',
            "Cannot dispatch VM: No host meets SCHED_REQUIREMENTS",
        ),
    ],
)
def test_vm_that_fits_nowhere_stays_pending(front: Front, extra: str, reason: str) -> None:
    """Not an error: the reason is in SCHED_MESSAGE."""
    vm = front.vm(extra=extra)

    wait_until(lambda: _message(front, vm).endswith(reason))
    assert front.state(vm) == (1, 0)


def test_no_host_is_enabled(front: Front) -> None:
    """The message goes once the VM is placed."""
    for host in range(3):
        front.do("one.host.status", host, 1)
    vm = front.vm()
    wait_until(lambda: _message(front, vm).endswith("No hosts enabled to run VMs"))

    front.do("one.host.status", 1, 0)
    front.until(vm, 3, 3)
    assert _message(front, vm) == ""


def test_pending_for_ever(front: Front) -> None:
    """The switch keeps one VM waiting, others are placed."""
    front.switches.set("pending", "schedule", match="stuck-*")
    stuck, other = front.vm("stuck-0"), front.vm("vm-1")

    front.until(other, 3, 3)
    assert front.state(stuck) == (1, 0)


def test_seven_vms_do_not_wait_for_the_window(tmp_path: Path) -> None:
    """With a window of an hour a lonely VM waits; the seventh opens it, spread over the hosts."""
    front = start(tmp_path, Settings(window=3600, step=0.05, speed=5))
    try:
        for name in ("a", "b"):
            front.do("one.host.allocate", name, "dummy", "dummy", 0)
        front.do("one.image.allocate", 'NAME="base" PATH="/image"', 1)
        front.do("one.vn.allocate", NETWORK, -1)
        front.do("one.template.allocate", TEMPLATE)
        world = front.server.world
        wait_until(lambda: world.images.get(0).state == 1 and world.hosts.get(1).state == 2)
        vms = [front.vm(f"vm-{n}") for n in range(6)]
        with world.change():
            front.server.scheduler.round(time.monotonic())
        assert {front.state(vm) for vm in vms} == {(1, 0)}

        vms.append(front.vm("vm-6"))
        wait_until(lambda: all(front.state(vm) == (3, 3) for vm in vms))
        placed = [record.hid for vm in world.vms if (record := vm.placed)]
        assert sorted(placed.count(host) for host in (0, 1)) == [3, 4]
    finally:
        front.server.stop()
