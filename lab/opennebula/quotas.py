"""Quotas of users and groups: limits as set, usage counted from the VMs that are not DONE."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.opennebula.attrs import Attrs, Vector, cdata
from lab.opennebula.errors import denied
from lab.opennebula.model import Group, User, Vm
from lab.opennebula.names import DONE
from lab.opennebula.world import World

Limits = dict[str, dict[str, dict[str, str]]]  # kind -> object id ("" for VM) -> metric -> limit
_ID_METRICS = {"NETWORK": "LEASES", "IMAGE": "RVMS"}
_DEFAULTS = {
    "VM": {
        "CPU": "-2", "MEMORY": "-2", "PCI_DEV": "-1", "PCI_NIC": "-1", "RUNNING_CPU": "-1",
        "RUNNING_MEMORY": "-1", "RUNNING_PCI_DEV": "-1", "RUNNING_PCI_NIC": "-1",
        "RUNNING_VMS": "-1", "SYSTEM_DISK_SIZE": "-1", "VMS": "-2",
    },
    "NETWORK": {"LEASES": "-2"},
    "IMAGE": {"RVMS": "-1"},
}  # fmt: skip


@dataclass
class Used:
    """What the VMs of one user or group take."""

    vms: int = 0
    cpu: float = 0.0
    memory: int = 0
    disk: int = 0
    leases: dict[str, int] = field(default_factory=dict)
    rvms: dict[str, int] = field(default_factory=dict)

    def add(self, vm: Vm) -> None:
        """Count one VM."""
        self.vms += 1
        self.cpu += float(vm.template.text("CPU", "0"))
        self.memory += int(vm.template.text("MEMORY", "0"))
        for disk in vm.template.vectors("DISK"):
            self.disk += int(disk.get("SIZE", "0"))
            image = disk.get("IMAGE_ID", "")
            self.rvms[image] = self.rvms.get(image, 0) + 1
        for nic in vm.template.vectors("NIC"):
            network = nic.get("NETWORK_ID", "")
            self.leases[network] = self.leases.get(network, 0) + 1

    def metrics(self) -> dict[str, float]:
        """By the names of the VM quota."""
        return {"VMS": self.vms, "CPU": self.cpu, "MEMORY": self.memory}


def used(world: World, owner: User | Group) -> Used:
    """Usage of a user, or of a group."""
    total = Used()
    for vm in world.vms:
        mine = vm.uid == owner.id if isinstance(owner, User) else vm.gid == owner.id
        if mine and vm.state != DONE:
            total.add(vm)
    return total


def set_limits(owner: User | Group, wanted: Attrs) -> None:
    """Take over limits from a quota template: VM=[...], NETWORK=[ID=..,LEASES=..], ..."""
    for kind, vector in wanted.items:
        if isinstance(vector, dict):
            rest = {key: value for key, value in vector.items() if key != "ID"}
            per_id = owner.quotas.setdefault(kind, {})
            per_id.setdefault(vector.get("ID", ""), {}).update(rest)


def check(world: World, user: User, vm: Vm, networks: list[str]) -> None:
    """Raises OneError AUTHORIZATION if the new VM is too much for its user or group."""
    for word, owner in (("user", user), ("group", world.groups.get(vm.gid))):
        if user.id == 0 or not owner.quotas:
            continue
        reason = _excess(owner.quotas, used(world, owner), vm, networks)
        if reason:
            raise denied(user.id, f"{word} [{owner.id}] limit of {reason}")


def _excess(limits: Limits, has: Used, vm: Vm, networks: list[str]) -> str:
    wanted = {
        "VMS": 1.0,
        "CPU": float(vm.template.text("CPU", "0")),
        "MEMORY": float(vm.template.text("MEMORY", "0")),
    }
    for name, limit in limits.get("VM", {}).get("", {}).items():
        more = wanted.get(name, 0.0)
        if float(limit) >= 0 and has.metrics().get(name, 0.0) + more > float(limit) + 1e-9:
            return f"{limit} reached for {name} quota in VM"
    for network, metrics in limits.get("NETWORK", {}).items():
        limit = metrics.get("LEASES", "-2")
        total = has.leases.get(network, 0) + networks.count(network)
        if float(limit) >= 0 and total > float(limit):
            return f"{limit} reached for LEASES quota in NETWORK with ID: {network}"
    return ""


def xml(world: World, owner: User | Group) -> str:
    """The four *_QUOTA elements: entries exist once there is a limit or a usage."""
    has = used(world, owner)
    vm_limits = owner.quotas.get("VM", {}).get("", {})
    vm = _vm_entry(vm_limits, has) if vm_limits or has.vms else ""
    networks = _by_id("NETWORK", owner.quotas, has.leases)
    images = _by_id("IMAGE", owner.quotas, has.rvms)
    return (
        f"<DATASTORE_QUOTA></DATASTORE_QUOTA><NETWORK_QUOTA>{networks}</NETWORK_QUOTA>"
        f"<VM_QUOTA>{vm}</VM_QUOTA><IMAGE_QUOTA>{images}</IMAGE_QUOTA>"
    )


def _vm_entry(limits: Vector, has: Used) -> str:
    values = {
        "CPU": f"{has.cpu:.2f}", "MEMORY": str(has.memory), "PCI_DEV": "0", "PCI_NIC": "0",
        "VMS": str(has.vms),
    }  # fmt: skip
    usage = {**values, **{f"RUNNING_{name}": value for name, value in values.items()}}
    usage["SYSTEM_DISK_SIZE"] = str(has.disk)
    return f"<VM>{_pairs({**_DEFAULTS['VM'], **limits}, usage)}</VM>"


def _by_id(kind: str, limits: Limits, usage: dict[str, int]) -> str:
    metric, known = _ID_METRICS[kind], limits.get(kind, {})
    entries = []
    for oid in sorted({*known, *(key for key, count in usage.items() if count)}, key=str):
        limit = known.get(oid, {}).get(metric, _DEFAULTS[kind][metric])
        pair = _pairs({metric: limit}, {metric: str(usage.get(oid, 0))})
        entries.append(f"<{kind}>{cdata('ID', oid)}{pair}</{kind}>")
    return "".join(entries)


def _pairs(limits: dict[str, str], usage: dict[str, str]) -> str:
    return "".join(
        cdata(name, limits[name]) + cdata(f"{name}_USED", usage.get(name, "0"))
        for name in sorted(limits)
    )


NO_DEFAULTS = (
    "<DATASTORE_QUOTA></DATASTORE_QUOTA><NETWORK_QUOTA></NETWORK_QUOTA>"
    "<VM_QUOTA></VM_QUOTA><IMAGE_QUOTA></IMAGE_QUOTA>"
)
