"""CONTEXT of a VM: `$` expansion, network variables, and what TOKEN="YES" adds."""

import re
import secrets

from lab.opennebula.attrs import Vector
from lab.opennebula.devices import fail
from lab.opennebula.model import User, Vm

_REFERENCE = re.compile(r"\\\$|\$([A-Za-z_][A-Za-z0-9_]*)(?:\[([^\]]*)\])?")
_ETH = (
    "DNS", "EXTERNAL", "GATEWAY", "IP", "IP6", "IP6_GATEWAY", "IP6_METHOD", "IP6_METRIC",
    "IP6_PREFIX_LENGTH", "IP6_ULA", "MAC", "MASK", "METHOD", "METRIC", "MTU", "NETWORK", "ROUTES",
    "SEARCH_DOMAIN", "VLAN_ID", "VROUTER_IP", "VROUTER_IP6", "VROUTER_MANAGEMENT",
)  # fmt: skip


def build(vm: Vm, given: Vector, user: User, networks: list[Vector], onegate: str) -> Vector:
    """The whole CONTEXT. networks: per NIC, the attributes of its network by ETH name."""
    context = {key: _expand(value, vm, user) for key, value in given.items()}
    if context.get("NETWORK", "").upper() == "YES":
        for number, (nic, network) in enumerate(
            zip(vm.template.vectors("NIC"), networks, strict=True)
        ):
            context.update(_eth(number, nic, network))
    if context.get("TOKEN", "").upper() == "YES":
        if not onegate:
            raise fail("TOKEN set, but onegate endpoint was not defined in oned.conf.")
        context |= {"ONEGATE_ENDPOINT": onegate, "VMID": str(vm.id)}
        vm.template.put("CREATED_BY", str(user.id))
        vm.token = vm.token or secrets.token_urlsafe(18)
    return {**context, **_drive(vm)}


def _drive(vm: Vm) -> Vector:
    """The CD with the context comes after the VM's disks; its bus is always ide."""
    return {"DISK_ID": str(len(vm.template.vectors("DISK"))), "TARGET": "hda"}


def rebuild(vm: Vm, given: Vector, user: User) -> Vector:
    """What updateconf leaves: the new keys alone, no network variables, no token."""
    return {**{key: _expand(value, vm, user) for key, value in given.items()}, **_drive(vm)}


def _eth(number: int, nic: Vector, network: Vector) -> Vector:
    known = {**network, "IP": nic.get("IP", ""), "MAC": nic.get("MAC", "")}
    return {f"ETH{number}_{name}": known.get(name, "") for name in _ETH}


def _expand(text: str, vm: Vm, user: User) -> str:
    def value(match: re.Match[str]) -> str:
        name, key = match.group(1), match.group(2)
        if name is None:
            return "$"
        if key is not None:
            return _of_vector(name.upper(), key.upper(), vm, user)
        if name.upper() == "NAME":
            return vm.name
        return vm.template.text(name.upper()) or vm.user_template.text(name.upper())

    return _REFERENCE.sub(value, text)


def _of_vector(name: str, key: str, vm: Vm, user: User) -> str:
    if name == "USER":
        return user.name if key == "NAME" else user.template.text(key)
    vector = vm.template.vector(name) or vm.user_template.vector(name) or {}
    return vector.get(key, "")
