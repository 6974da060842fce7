"""Fill the bench's OpenNebula: hosts enough for the fleet, one image, one network, one template."""

from __future__ import annotations

import math
from typing import Any

import pyone

from lab.airflow.wait import until
from lab.bench.site import CPU, IMAGE, MEMORY_MB, NETWORK, TEMPLATE

_VMS_PER_HOST = 50
_MONITORED = 2  # state of a host
_READY = 1  # state of an image


def furnish(url: str, session: str, vms: int) -> None:
    """Make room for *vms* VMs, twice: a rollout needs the new ones beside the old."""
    one = pyone.OneServer(url, session=session)
    for number in range(max(2, math.ceil(2 * vms / _VMS_PER_HOST))):
        host = one.host.allocate(f"host-{number:02}", "dummy", "dummy", -1)
        size = {"TOTAL_CPU": _VMS_PER_HOST * int(CPU * 100), "TOTAL_MEM": _VMS_PER_HOST << 18}
        one.host.update(host, size, 1)
    monitored = lambda: all(each.STATE == _MONITORED for each in one.hostpool.info().HOST)  # noqa: E731
    until(monitored, 30, "the hosts are monitored: nothing is placed on the others")
    _image(one)
    one.vn.allocate({"TEMPLATE": {
        "NAME": NETWORK,
        "VN_MAD": "dummy",
        "BRIDGE": "none",
        "AR": {"TYPE": "IP4", "IP": "10.0.0.10", "SIZE": str(2 * vms + 20)},
    }}, -1)  # fmt: skip
    one.template.allocate({"TEMPLATE": {
        "NAME": TEMPLATE,
        "CPU": str(CPU),
        "MEMORY": str(MEMORY_MB),
        "DISK": {"IMAGE": IMAGE},
        "CONTEXT": {"NETWORK": "YES"},
    }})  # fmt: skip


def _image(one: Any) -> None:
    values = {"NAME": IMAGE, "PATH": "/dev/null", "SIZE": "300", "TYPE": "OS", "FORMAT": "raw"}
    number = one.image.allocate({"TEMPLATE": values}, 1)
    until(lambda: one.image.info(number).STATE == _READY, 30, "the image is READY", every=0.1)
