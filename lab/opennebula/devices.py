"""Disks, networks and security groups of a VM that is being made."""

from __future__ import annotations

from lab.opennebula import names as n
from lab.opennebula.attrs import Attrs, Vector
from lab.opennebula.errors import ALLOCATE, OneError
from lab.opennebula.leases import take, take_next
from lab.opennebula.model import Image, User, Vm, Vnet
from lab.opennebula.world import World

PREFIX = "Error allocating a new virtual machine template. "
_INHERITED = ("DNS", "GATEWAY", "MTU", "METRIC", "METHOD", "FILTER_MAC_SPOOFING")


def fail(text: str) -> OneError:
    """Everything that instantiate lacks is 0x4000 with this prefix."""
    return OneError(ALLOCATE, PREFIX + text)


def security_groups(body: Attrs) -> list[int]:
    """Numbers of all security groups its NICs name."""
    texts = (nic.get("SECURITY_GROUPS", "") for nic in body.vectors("NIC"))
    found = {
        int(number) for text in texts for number in text.split(",") if number.strip().isdigit()
    }
    return sorted(found)


def find_image(world: World, disk: Vector, user: User) -> Image | None:
    """The image a DISK names, by id or by name and owner."""
    if "IMAGE_ID" in disk:
        return world.images.things.get(_number(disk["IMAGE_ID"]))
    owner = _owner(world, disk, "IMAGE", user)
    named = (i for i in world.images if i.name == disk.get("IMAGE") and i.uid == owner)
    return next(named, None)


def find_vnet(world: World, nic: Vector, user: User) -> Vnet | None:
    """The network a NIC names."""
    if "NETWORK_ID" in nic:
        return world.vnets.things.get(_number(nic["NETWORK_ID"]))
    owner = _owner(world, nic, "NETWORK", user)
    named = (v for v in world.vnets if v.name == nic.get("NETWORK") and v.uid == owner)
    return next(named, None)


def _number(text: str) -> int:
    return int(text) if text.strip().lstrip("-").isdigit() else -1


def _owner(world: World, vector: Vector, word: str, user: User) -> int:
    if f"{word}_UID" in vector:
        return _number(vector[f"{word}_UID"])
    found = world.users.find(vector.get(f"{word}_UNAME", ""))
    return found.id if found else user.id


def networks_of(world: World, body: Attrs, user: User, *, fatal: bool = True) -> list[Vnet]:
    """The networks of its NICs. Raises OneError ALLOCATE if one is missing and that is fatal."""
    found = [find_vnet(world, nic, user) for nic in body.vectors("NIC")]
    if fatal and None in found:
        raise _no_network(body.vectors("NIC")[found.index(None)], user)
    return [net for net in found if net is not None]


def _no_network(nic: Vector, user: User) -> OneError:
    if "NETWORK_ID" in nic:
        return fail(f"Virtual network with ID: {nic['NETWORK_ID']} does not exist")
    return fail(
        f"User {user.id} does not own a network with name: {nic.get('NETWORK', '')} . "
        "Set NETWORK_UNAME or NETWORK_UID of owner in NIC."
    )


def add_disks(world: World, vm: Vm, user: User) -> None:
    """Acquire the images. Raises OneError ALLOCATE."""
    used: dict[str, int] = {}
    for number, disk in enumerate(vm.template.vectors("DISK")):
        if not ({"IMAGE", "IMAGE_ID"} & disk.keys()):
            disk["DISK_ID"] = str(number)  # a volatile disk
            continue
        image = _acquire(world, vm, number, disk, user)
        disk.update(disk_attributes(world, image, number))
        prefix = disk["DEV_PREFIX"]
        disk["TARGET"] = f"{prefix}{chr(ord('a') + used.get(prefix, 0))}"
        used[prefix] = used.get(prefix, 0) + 1


def _acquire(world: World, vm: Vm, number: int, disk: Vector, user: User) -> Image:
    image = find_image(world, disk, user)
    if image is None:
        raise fail(f"DISK {number}: {_no_image(disk, user)}")
    if image.state not in (n.IMAGE_READY, n.IMAGE_USED) or (image.persistent and image.vms):
        raise fail(f"DISK {number}: Image {image.id} not available. Image not in READY state")
    image.state = image.prev_state = n.IMAGE_USED_PERS if image.persistent else n.IMAGE_USED
    image.vms.append(vm.id)
    world.images.save(image)
    return image


def _no_image(disk: Vector, user: User) -> str:
    if "IMAGE_ID" in disk:
        return f"Image with ID: {disk['IMAGE_ID']} does not exist"
    return (
        f"User {user.id} does not own an image with name: {disk['IMAGE']} . "
        "Set IMAGE_UNAME or IMAGE_UID of owner in DISK."
    )


def disk_attributes(world: World, image: Image, number: int) -> Vector:
    """What a DISK gets from its image and the image's datastore."""
    store = world.datastores.get(image.datastore)
    keeps = "YES" if image.persistent else "NO"
    return {
        "ALLOW_ORPHANS": store.template.text("ALLOW_ORPHANS", "NO"),
        "CLONE": "NO" if image.persistent else "YES",
        "CLONE_TARGET": store.template.text("CLONE_TARGET", "SYSTEM"),
        "CLUSTER_ID": "0",
        "DATASTORE": store.name,
        "DATASTORE_ID": str(store.id),
        "DEV_PREFIX": image.template.text("DEV_PREFIX", "sd"),
        "DISK_ID": str(number),
        "DISK_SNAPSHOT_TOTAL_SIZE": "0",
        "DISK_TYPE": "FILE",
        "DRIVER": image.format,
        "FORMAT": image.format,
        "IMAGE": image.name,
        "IMAGE_ID": str(image.id),
        "IMAGE_STATE": str(image.state),
        "LN_TARGET": store.template.text("LN_TARGET", "NONE"),
        "ORIGINAL_SIZE": str(image.size),
        "PERSISTENT_SNAPSHOTS": "YES",
        "READONLY": "NO",
        "SAVE": keeps,
        "SIZE": str(image.size),
        "SOURCE": image.source,
        "TM_MAD": store.template.text("TM_MAD"),
        "TYPE": "FILE",
    }


def add_nics(world: World, vm: Vm, user: User) -> list[Vnet]:
    """Take the leases; answers the networks. Raises OneError ALLOCATE."""
    networks = networks_of(world, vm.template, user)
    for number, (nic, net) in enumerate(zip(vm.template.vectors("NIC"), networks, strict=True)):
        add_nic(world, vm, nic, net, number)
    return networks


def add_nic(world: World, vm: Vm, nic: Vector, net: Vnet, number: int) -> None:
    """Give one NIC its lease and what it inherits. Raises OneError ALLOCATE."""
    lease = None
    if not world.board.take("lease", vm.name, "out-of-leases"):
        owner = ("VM", vm.id)
        chosen = nic.get("IP", ""), nic.get("MAC", "")
        lease = take(net, owner, *chosen) if any(chosen) else take_next(net, owner)
    if lease is None:
        raise fail(f"Cannot get IP/MAC lease from virtual network {net.id}.")
    world.vnets.save(net)
    groups = [net.template.text("SECURITY_GROUPS", "0"), nic.get("SECURITY_GROUPS", "")]
    merged = {int(part) for text in groups for part in text.split(",") if part.strip().isdigit()}
    inherited = {k: net.template.text(k) for k in _INHERITED if net.template.text(k)}
    nic.update(inherited)
    nic.update(lease)
    nic.update(
        BRIDGE=net.template.text("BRIDGE"),
        BRIDGE_TYPE=net.template.text("BRIDGE_TYPE", "linux"),
        CLUSTER_ID="0",
        NAME=nic.get("NAME", f"NIC{number}"),
        NETWORK=net.name,
        NETWORK_ID=str(net.id),
        NIC_ID=str(number),
        SECURITY_GROUPS=",".join(str(group) for group in sorted(merged)),
        TARGET=f"one-{vm.id}-{number}",
        VN_MAD=net.template.text("VN_MAD"),
    )


def eth_attributes(net: Vnet) -> Vector:
    """What ETHn_* takes from the network. ETHn_MTU is GUEST_MTU, not MTU."""
    text = net.template.text
    return {
        "DNS": text("DNS"),
        "GATEWAY": text("GATEWAY"),
        "MASK": text("NETWORK_MASK"),
        "MTU": text("GUEST_MTU"),
        "NETWORK": text("NETWORK_ADDRESS"),
        "SEARCH_DOMAIN": text("SEARCH_DOMAIN"),
        "METHOD": text("METHOD"),
        "METRIC": text("METRIC"),
    }


def add_group_rules(world: World, vm: Vm) -> None:
    """Copy the rules of the security groups into the VM."""
    for number in security_groups(vm.template):
        group = world.secgroups.things.get(number)
        if group is None:
            raise fail(f"Error getting security group [{number}].")
        for rule in group.template.vectors("RULE"):
            marks = {"SECURITY_GROUP_ID": str(number), "SECURITY_GROUP_NAME": group.name}
            vm.template.add("SECURITY_GROUP_RULE", {**rule, **marks})
