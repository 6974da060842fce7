"""How much of a host is taken, and what a VM would need."""

from dataclasses import dataclass

from lab.opennebula.model import Host, Vm
from lab.opennebula.names import ACTIVE, POWEROFF, SUSPENDED
from lab.opennebula.world import World

_ON_HOST = (ACTIVE, POWEROFF, SUSPENDED)


@dataclass(frozen=True)
class Usage:
    """cpu in percent of a core, mem in KiB, ids of the VMs."""

    cpu: int
    mem: int
    ids: tuple[int, ...]

    @property
    def vms(self) -> int:
        """How many VMs."""
        return len(self.ids)


def needs(vm: Vm) -> tuple[int, int]:
    """(percent of a core, KiB)."""
    return round(float(vm.template.text("CPU", "0")) * 100), int(vm.template.text("MEMORY")) * 1024


def usage(world: World, host: Host) -> Usage:
    """What the VMs placed on the host take."""
    there = [
        vm
        for vm in world.vms
        if vm.state in _ON_HOST and vm.placed and not vm.placed.etime and vm.placed.hid == host.id
    ]
    sizes = [needs(vm) for vm in there]
    cpu, mem = sum(size[0] for size in sizes), sum(size[1] for size in sizes)
    return Usage(cpu, mem, tuple(sorted(vm.id for vm in there)))


def lacking(world: World, vm: Vm, host: Host) -> str:
    """What the host has not enough of ("CPU: wanted/free"), or nothing."""
    used, (cpu, mem) = usage(world, host), needs(vm)
    if cpu > host.total_cpu - used.cpu:
        return f"CPU: {cpu}/{host.total_cpu - used.cpu}"
    if mem > host.total_mem - used.mem:
        return f"memory: {mem}/{host.total_mem - used.mem}"
    return ""
