"""Address ranges: MAC = 02:00 + IP, leases that go round, hold, release and reserve."""

import ipaddress
import secrets
from collections.abc import Iterator

from lab.opennebula.attrs import Attrs, Vector
from lab.opennebula.errors import ACTION, INTERNAL, OneError
from lab.opennebula.model import Range, Vnet

MAC_PREFIX = "02:00"
Owner = tuple[str, int]


def new_range(number: int, vector: Vector) -> Range:
    """A range from its AR vector. Without a MAC, the first one is 02:00 plus the first IP."""
    ip = vector.get("IP", "")
    mac = vector.get("MAC", "").lower() or _default_mac(ip)
    kind = vector.get("TYPE", "IP4" if ip else "ETHER")
    return Range(id=number, type=kind, ip=ip, mac=mac, size=int(vector.get("SIZE", "1")))


def _default_mac(ip: str) -> str:
    tail = ipaddress.IPv4Address(ip).packed if ip else secrets.token_bytes(4)
    return ":".join([MAC_PREFIX, *(f"{byte:02x}" for byte in tail)])


def mac_at(area: Range, index: int) -> str:
    """The MAC of one lease: the first one plus the index."""
    number = int(area.mac.replace(":", ""), 16) + index
    text = f"{number:012x}"
    return ":".join(text[at : at + 2] for at in range(0, 12, 2))


def ip_at(area: Range, index: int) -> str:
    """The address of one lease; an ETHER range has none."""
    return str(ipaddress.IPv4Address(area.ip) + index) if area.ip else ""


def lease_vector(area: Range, index: int) -> Vector:
    """AR_ID, MAC and (if the range has addresses) IP of one lease."""
    vector = {"AR_ID": str(area.id), "MAC": mac_at(area, index)}
    return {**vector, "IP": ip_at(area, index)} if area.ip else vector


def take_next(vnet: Vnet, owner: Owner) -> Vector | None:
    """The next free address AFTER the last one given, not the lowest free one."""
    for area in vnet.ranges:
        for step in range(area.size):
            index = (area.next_index + step) % area.size
            if str(index) not in area.leases:
                area.leases[str(index)] = owner
                area.next_index = (index + 1) % area.size
                return lease_vector(area, index)
    return None


def take(vnet: Vnet, owner: Owner, ip: str, mac: str) -> Vector | None:
    """The requested address, if it is ours and free. It does not move the next index."""
    found = next(_places(vnet, ip, mac), None)
    if found is None or str(found[1]) in found[0].leases:
        return None
    area, index = found
    area.leases[str(index)] = owner
    return lease_vector(area, index)


def _places(vnet: Vnet, ip: str, mac: str) -> Iterator[tuple[Range, int]]:
    for area in vnet.ranges:
        if ip and area.ip:
            try:
                index = int(ipaddress.IPv4Address(ip)) - int(ipaddress.IPv4Address(area.ip))
            except ValueError:
                continue
        elif mac:
            index = _mac_number(mac) - _mac_number(area.mac)
        else:
            continue
        if 0 <= index < area.size:
            yield area, index


def _mac_number(mac: str) -> int:
    return int(mac.replace(":", ""), 16)


def hold(vnet: Vnet, wanted: Attrs) -> None:
    """Hold the addresses in LEASES vectors: leases of VM -1. Raises OneError INTERNAL."""
    for vector in wanted.vectors("LEASES"):
        if take(vnet, ("VM", -1), vector.get("IP", ""), vector.get("MAC", "")) is None:
            raise OneError(INTERNAL, "Address is not part of the address range or in use.")


def let_go(vnet: Vnet, wanted: Attrs) -> None:
    """Release held addresses; one that is not held is fine too."""
    for vector in wanted.vectors("LEASES"):
        for area, index in _places(vnet, vector.get("IP", ""), vector.get("MAC", "")):
            if tuple(area.leases.get(str(index), ())) == ("VM", -1):
                del area.leases[str(index)]


def reserve(vnet: Vnet, child: Vnet, wanted: Attrs) -> None:
    """Move SIZE addresses in a row to a child network. Raises OneError ACTION."""
    size, first = int(wanted.text("SIZE", "1")), wanted.text("IP")
    for area in vnet.ranges:
        start = next((i for a, i in _places(vnet, first, "") if a is area), None)
        index = _free_row(area, size, start)
        if index is not None:
            _move(area, child, index, size, explicit=bool(first))
            return
    raise OneError(ACTION, "Not enough free addresses in an address range")


def _free_row(area: Range, size: int, start: int | None) -> int | None:
    starts = [start] if start is not None else range(area.next_index, area.size - size + 1)
    for first in starts:
        row = range(first, first + size)
        if row.stop <= area.size and not any(str(i) in area.leases for i in row):
            return first
    return None


def _move(area: Range, child: Vnet, index: int, size: int, *, explicit: bool) -> None:
    for place in range(index, index + size):
        area.leases[str(place)] = ("VNET", child.id)
    if not explicit:
        area.next_index = (index + size) % area.size
    fresh = Range(
        id=len(child.ranges),
        type=area.type,
        ip=ip_at(area, index),
        mac=mac_at(area, index),
        size=size,
        parent=area.id,
    )
    child.ranges.append(fresh)


def used(vnet: Vnet) -> int:
    """How many leases are taken: by VMs, held and reserved."""
    return sum(len(area.leases) for area in vnet.ranges)
