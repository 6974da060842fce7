"""Virtual networks: leases, holds, reservations, address ranges."""

from typing import cast

from lab.opennebula import leases
from lab.opennebula.api.common import (
    managed,
    paged,
    parsed,
    pool_xml,
    register_info,
    register_owned,
    register_update,
    taken_name,
    visible,
)
from lab.opennebula.attrs import Attrs, Vector, cdata, ids, plain
from lab.opennebula.errors import ACTION, INTERNAL, OneError
from lab.opennebula.model import Range, Thing, Vnet
from lab.opennebula.registry import Call, method
from lab.opennebula.release import holders
from lab.opennebula.render import lock, owner, permissions
from lab.opennebula.rights import Request, require
from lab.opennebula.world import World

LOCK, READY = 2, 1
READY_AFTER = 0.3  # the network driver's time


def _range_xml(area: Range, full: bool) -> str:
    vector = {
        "AR_ID": str(area.id), "MAC": area.mac, "NEXT_INDEX": str(area.next_index),
        "SHARED": "NO", "SIZE": str(area.size), "TYPE": area.type,
    }  # fmt: skip
    if area.ip:
        vector["IP"] = area.ip
    if area.parent >= 0:
        vector["PARENT_NETWORK_AR_ID"] = str(area.parent)
    inner = "".join(cdata(key, vector[key]) for key in sorted(vector))
    return f"<AR>{inner}{_range_tail(area) if full else ''}</AR>"


def _range_tail(area: Range) -> str:
    last = area.size - 1
    end = cdata("MAC_END", leases.mac_at(area, last))
    if area.ip:
        end += cdata("IP_END", leases.ip_at(area, last))
    taken = "".join(_lease_xml(area, int(index)) for index in sorted(area.leases, key=int))
    inside = f"<LEASES>{taken}</LEASES>" if taken else "<LEASES/>"
    return end + plain("USED_LEASES", len(area.leases)) + inside


def _lease_xml(area: Range, index: int) -> str:
    kind, oid = area.leases[str(index)]
    address = cdata("IP", leases.ip_at(area, index)) if area.ip else ""
    return f"<LEASE>{address}{cdata('MAC', leases.mac_at(area, index))}{cdata(kind, oid)}</LEASE>"


def vnet_xml(call: Call, thing: Thing, *, full: bool = True) -> str:
    """The VNET element; pools leave the leases out."""
    net = cast(Vnet, thing)
    bound = net.state != LOCK or net.parent >= 0
    areas = "".join(_range_xml(area, full) for area in net.ranges) if bound else ""
    parent = plain("PARENT_NETWORK_ID", net.parent) if net.parent >= 0 else "<PARENT_NETWORK_ID/>"
    return (
        "<VNET>"
        + plain("ID", net.id)
        + owner(call.world, net)
        + plain("NAME", net.name)
        + permissions(net)
        + ids("CLUSTERS", [0])
        + cdata("BRIDGE", net.template.text("BRIDGE"))
        + cdata("BRIDGE_TYPE", net.template.text("BRIDGE_TYPE"))
        + cdata("STATE", net.state)
        + cdata("PREV_STATE", net.prev_state)
        + f"{parent}<TEMPLATE_ID/>"
        + cdata("VN_MAD", net.template.text("VN_MAD"))
        + "<PHYDEV/><VLAN_ID/><OUTER_VLAN_ID/>"
        + "<VLAN_ID_AUTOMATIC>0</VLAN_ID_AUTOMATIC>"
        + "<OUTER_VLAN_ID_AUTOMATIC>0</OUTER_VLAN_ID_AUTOMATIC>"
        + plain("USED_LEASES", leases.used(net))
        + lock(net)
        + "<VROUTERS></VROUTERS>"
        + ids("UPDATED_VMS", holders(call.world, net.id))
        + "<OUTDATED_VMS></OUTDATED_VMS><UPDATING_VMS></UPDATING_VMS><ERROR_VMS></ERROR_VMS>"
        + _template_xml(net)
        + f"<AR_POOL>{areas}</AR_POOL></VNET>"
    )


def _template_xml(net: Vnet) -> str:
    """While the driver still works, the ranges are shown as they were given."""
    if net.state == LOCK and net.parent < 0:
        return net.template.xml()
    shown = net.template.copy()
    shown.discard("AR")
    return shown.xml()


@method("one.vn.allocate", "si", 1)
def allocate(call: Call) -> int:
    """A new network from template text; it is ready a moment later."""
    world = call.world
    body = parsed(call.s(0))
    Request(world, call.user).need_create("NET").decide()
    name = taken_name(body)
    if not body.text("VN_MAD"):
        raise OneError(INTERNAL, "No VN_MAD in template for Virtual Network.")
    _refuse_taken(world, name, call.user.id)
    for key, value in (("BRIDGE_TYPE", "linux"), ("PHYDEV", ""), ("SECURITY_GROUPS", "0")):
        if key not in body:
            body.put(key, value)
    net = _new(call, name, body)
    if not body.text("BRIDGE"):
        body.put("BRIDGE", f"onebr{net.id}")
    net.ranges = [leases.new_range(i, vector) for i, vector in enumerate(body.vectors("AR"))]
    world.after(READY_AFTER, lambda: _ready(world, net))
    return world.vnets.save(net).id


def _new(call: Call, name: str, body: Attrs) -> Vnet:
    return Vnet(
        id=call.world.vnets.next_id(),
        name=name,
        uid=call.user.id,
        gid=call.user.gids[0],
        template=body,
    )


def _refuse_taken(world: World, name: str, uid: int) -> None:
    same = next((v for v in world.vnets if v.name == name and v.uid == uid), None)
    if same:
        raise OneError(INTERNAL, f"NAME is already taken by NET {same.id}.")


def take_up(world: World) -> None:
    """After a start: networks whose driver was at work are ready."""
    for net in world.vnets:
        if net.parent < 0 and net.state == LOCK:
            _ready(world, net)


def _ready(world: World, net: Vnet) -> None:
    if net.id not in world.vnets.things:
        return
    net.state = net.prev_state = READY
    _settle(net.template)
    world.vnets.save(net)


def _settle(template: Attrs) -> None:
    """What the driver leaves: ranges are no attributes any more, VLANs are."""
    template.discard("AR")
    for name in ("OUTER_VLAN_ID", "VLAN_ID"):
        if name not in template:
            template.put(name, "")


@method("one.vnpool.info", "iii", 0)
def pool_info(call: Call) -> str:
    """All networks, without leases."""
    nets = visible(call, call.world.vnets.newest_first(), call.i(0))
    shown = paged(nets, call.i(1), call.i(2))
    return pool_xml("VNET_POOL", (vnet_xml(call, net, full=False) for net in shown))


@method("one.vn.delete", "ib", 1)
def delete(call: Call) -> int:
    """Delete a network without leases; a reservation gives its addresses back."""
    world, net = call.world, cast(Vnet, managed(call, "vnet"))
    if leases.used(net):
        text = "Can not remove a virtual network with leases in use"
        raise OneError(ACTION, f"Cannot delete virtual network. {text}")
    if net.parent in world.vnets.things:
        _give_back(world, world.vnets.things[net.parent], net)
    world.vnets.remove(net)
    return net.id


def _give_back(world: World, parent: Vnet, child: Vnet) -> None:
    for area in parent.ranges:
        mine = [i for i, who in area.leases.items() if tuple(who) == ("VNET", child.id)]
        for index in mine:
            del area.leases[index]
    world.vnets.save(parent)


@method("one.vn.hold", "is")
def hold(call: Call) -> int:
    """Hold addresses."""
    net = cast(Vnet, managed(call, "vnet"))
    leases.hold(net, parsed(call.s(1)))
    return call.world.vnets.save(net).id


@method("one.vn.release", "is")
def release(call: Call) -> int:
    """Release held addresses."""
    net = cast(Vnet, managed(call, "vnet"))
    leases.let_go(net, parsed(call.s(1)))
    return call.world.vnets.save(net).id


@method("one.vn.reserve", "is")
def reserve(call: Call) -> int:
    """Move addresses to a child network, new or named by NETWORK_ID."""
    world, net = call.world, call.world.vnets.get(call.i(0))
    require(world, call.user, "USE", net)
    wanted = parsed(call.s(1))
    if wanted.text("NETWORK_ID"):
        child = world.vnets.get(int(wanted.text("NETWORK_ID")))
    else:
        name = taken_name(wanted)
        _refuse_taken(world, name, call.user.id)
        child = _new(call, name, net.template.copy())
        child.parent, child.prev_state = net.id, LOCK
        _settle(child.template)
    leases.reserve(net, child, wanted)
    world.vnets.save(net)
    return world.vnets.save(child).id


def _area(net: Vnet, number: int) -> Range:
    found = next((area for area in net.ranges if area.id == number), None)
    if found is None:
        raise OneError(ACTION, f"Address Range does not exist: {number}")
    return found


@method("one.vn.add_ar", "is")
def add_ar(call: Call) -> int:
    """Add an address range."""
    net = cast(Vnet, managed(call, "vnet", "ADMIN"))
    vectors: list[Vector] = parsed(call.s(1)).vectors("AR")
    if not vectors:
        raise OneError(ACTION, "Wrong AR definition. Could not add Address Range.")
    for vector in vectors:
        number = max((area.id for area in net.ranges), default=-1) + 1
        net.ranges.append(leases.new_range(number, vector))
    return call.world.vnets.save(net).id


@method("one.vn.rm_ar", "iib", 2)
def rm_ar(call: Call) -> int:
    """Remove an address range without leases."""
    net = cast(Vnet, managed(call, "vnet", "ADMIN"))
    area = _area(net, call.i(1))
    if area.leases:
        raise OneError(ACTION, "Address Range has leases in use")
    net.ranges.remove(area)
    return call.world.vnets.save(net).id


register_info("vn", "vnet", vnet_xml)
register_update("vn", "vnet")
register_owned("vn", "vnet")
