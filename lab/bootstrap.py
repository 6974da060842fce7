"""Fill the cloud through its own API: hosts, image, network, VM template, the product's account.

Everything is looked up before it is made, so that a second run finds it all and changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyone

from lab.connections import PRODUCT
from lab.services.base import secret
from lab.services.opennebula import PORT, admin_password
from lab.settings import BRIDGE, SERVICES_IP, Places

HOSTS = ("host-a", "host-b")
IMAGE = "debian-12"
NETWORK = "lab"
TEMPLATE = "snowmelt-vm"
_MINE_AND_ALL = -2  # pool filter: everything the user may see
_READY = 1  # image state

# Numbers of OpenNebula's rules: kind of object, then "one" or "all", then the object's id.
_INDIVIDUAL, _ALL = 0x100000000, 0x400000000
_IMAGE, _SECURITY_GROUP, _VM_TEMPLATE = 0x8000000000, 0x1000000000000, 0x20000000000
_USE, _MANAGE, _CREATE = 0x1, 0x2, 0x8
# What it takes to instantiate one template with additions of our own and to bring in new images,
# beside what a new group gets (use of hosts, networks and datastores). A rule about one object
# needs one zone: #0.
RULES = (
    (_IMAGE | _ALL, _USE, _ALL),
    (_IMAGE | _ALL, _CREATE, _ALL),
    (_SECURITY_GROUP | _INDIVIDUAL, _USE, _INDIVIDUAL),
    (_VM_TEMPLATE | _ALL, _CREATE, _ALL),
)


def fill(places: Places, image: Path) -> str | None:
    """Make what is missing; `image` is the root file system that the VM image stands for."""
    one = pyone.OneServer(
        f"http://{SERVICES_IP}:{PORT}/RPC2", session=f"oneadmin:{admin_password(places)}"
    )
    known = PRODUCT in _names(one.userpool.info().USER)
    password = secret(places.secrets / "opennebula")
    hosts(one)
    _image(one, image)
    _network(one)
    template = _template(one)
    # `refresh_image` lets it point at the new image
    pointing = (_VM_TEMPLATE | _INDIVIDUAL | template, _USE | _MANAGE, _INDIVIDUAL)
    _account(one, password, (*RULES, pointing))
    return "already filled" if known else None


def hosts(one: Any) -> None:
    """Two hosts, so that the scheduler has something to choose from."""
    known = _names(one.hostpool.info().HOST)
    for name in HOSTS:
        if name not in known:
            one.host.allocate(name, "namespace", "namespace", -1)


def _image(one: Any, path: Path) -> None:
    found = _find(one.imagepool.info(_MINE_AND_ALL, -1, -1).IMAGE, IMAGE)
    if found is not None:
        return
    values = {"NAME": IMAGE, "PATH": str(path), "SIZE": "300", "TYPE": "OS", "FORMAT": "raw"}
    values |= {"PERSISTENT": "NO", "DEV_PREFIX": "vd"}
    number = one.image.allocate({"TEMPLATE": values}, 1)
    _until(lambda: one.image.info(number).STATE == _READY, f"image {IMAGE} is READY")


def _network(one: Any) -> None:
    if _find(one.vnpool.info(_MINE_AND_ALL, -1, -1).VNET, NETWORK) is not None:
        return
    values = {
        "NAME": NETWORK,
        "VN_MAD": "bridge",
        "BRIDGE": BRIDGE,
        "NETWORK_ADDRESS": "198.18.0.0",
        "NETWORK_MASK": "255.255.255.0",
        "DNS": SERVICES_IP,
        "AR": {"TYPE": "IP4", "IP": "198.18.0.100", "SIZE": "100"},
    }
    one.vn.allocate({"TEMPLATE": values}, -1)


def _template(one: Any) -> int:
    found = _find(one.templatepool.info(_MINE_AND_ALL, -1, -1).VMTEMPLATE, TEMPLATE)
    number = _new_template(one) if found is None else int(found.ID)
    one.template.chmod(number, -1, -1, -1, -1, -1, -1, 1, -1, -1)  # others may use it
    return number


def _new_template(one: Any) -> int:
    values = {
        "NAME": TEMPLATE,
        "CPU": "0.25",
        "VCPU": "1",
        "MEMORY": "256",
        "DISK": {"IMAGE": IMAGE, "IMAGE_UNAME": "oneadmin"},
        "NIC": {"NETWORK": NETWORK, "NETWORK_UNAME": "oneadmin"},
        "CONTEXT": {"NETWORK": "YES", "TOKEN": "YES", "REPORT_READY": "YES"},
    }
    return int(one.template.allocate({"TEMPLATE": values}))


def _account(one: Any, password: str, rules: Iterable[tuple[int, int, int]]) -> None:
    """The product's account may do what the rules say, and nothing more."""
    found = _find(one.userpool.info().USER, PRODUCT)
    group = _find(one.grouppool.info().GROUP, PRODUCT)
    group_id = int(group.ID) if group is not None else int(one.group.allocate(PRODUCT))
    if found is None:
        user = int(one.user.allocate(PRODUCT, password, "", [group_id]))
    else:
        user = int(found.ID)
        one.user.passwd(user, password)
    known = {(r.USER, r.RESOURCE, r.RIGHTS, r.ZONE) for r in one.acl.info().ACL}
    for resource, rights, zone in rules:
        rule = (f"{_INDIVIDUAL | user:x}", f"{resource:x}", f"{rights:x}", f"{zone:x}")
        if rule not in known:
            one.acl.addrule(*rule)


def _names(things: Iterable[Any]) -> set[str]:
    return {thing.NAME for thing in things}


def _find(things: Iterable[Any], name: str) -> Any | None:
    return next((thing for thing in things if name == thing.NAME), None)


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited 30 s in vain until {what}")
        time.sleep(0.1)
