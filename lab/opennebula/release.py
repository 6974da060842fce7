"""What a VM holds (leases, images, security groups), and giving it back."""

from lab.opennebula.model import Vm
from lab.opennebula.names import (
    DONE,
    IMAGE_READY,
    IMAGE_USED,
    IMAGE_USED_PERS,
)
from lab.opennebula.world import World


def release(world: World, vm: Vm) -> None:
    """Give everything back: at DONE, or when making the VM failed half way."""
    release_leases(world, vm)
    for image in world.images:
        if vm.id in image.vms:
            image.vms.remove(vm.id)
            if not image.vms and image.state in (IMAGE_USED, IMAGE_USED_PERS):
                image.state = image.prev_state = IMAGE_READY
            world.images.save(image)


def release_leases(world: World, vm: Vm, network: int | None = None) -> None:
    """Give back the addresses, of all networks or of one."""
    for vnet in world.vnets:
        if network is not None and vnet.id != network:
            continue
        for area in vnet.ranges:
            mine = [index for index, owner in area.leases.items() if tuple(owner) == ("VM", vm.id)]
            for index in mine:
                del area.leases[index]
            if mine:
                world.vnets.save(vnet)


def holders(world: World, vnet_id: int) -> list[int]:
    """Ids of the VMs that have a lease of the network."""
    vnet = world.vnets.get(vnet_id)
    owners = (owner for area in vnet.ranges for owner in area.leases.values())
    return sorted({oid for kind, oid in owners if kind == "VM" and oid in world.vms.things})


def running_in(world: World, secgroup_id: int) -> list[int]:
    """Ids of the living VMs that use a security group."""
    return sorted(vm.id for vm in world.vms if vm.state != DONE and str(secgroup_id) in _groups(vm))


def _groups(vm: Vm) -> set[str]:
    nics = vm.template.vectors("NIC")
    return {group for nic in nics for group in nic.get("SECURITY_GROUPS", "").split(",")}
