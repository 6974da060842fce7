"""VM templates, and instantiate."""

from typing import cast

from lab.opennebula.api.common import (
    managed,
    parsed,
    register_info,
    register_owned,
    register_pool,
    register_update,
    taken_name,
)
from lab.opennebula.attrs import plain
from lab.opennebula.devices import disk_attributes, find_image, find_vnet
from lab.opennebula.errors import INTERNAL, OneError
from lab.opennebula.instantiate import Order, instantiate
from lab.opennebula.model import Thing, VmTemplate
from lab.opennebula.registry import Call, method
from lab.opennebula.render import lock, owner, permissions
from lab.opennebula.rights import Request
from lab.opennebula.steps import now
from lab.opennebula.world import World


def template_xml(call: Call, thing: Thing) -> str:
    """The VMTEMPLATE element. one.template.info(id, true) shows what DISK and NIC will get."""
    template = cast(VmTemplate, thing)
    body = template.template
    if call.method == "one.template.info" and call.b(1):
        body = body.copy()
        for number, disk in enumerate(body.vectors("DISK")):
            image = find_image(call.world, disk, call.user)
            disk.update(disk_attributes(call.world, image, number) if image else {})
        for nic in body.vectors("NIC"):
            net = find_vnet(call.world, nic, call.user)
            nic.update({"NETWORK_ID": str(net.id)} if net else {})
    return (
        "<VMTEMPLATE>"
        + plain("ID", template.id)
        + owner(call.world, template)
        + plain("NAME", template.name)
        + lock(template)
        + permissions(template)
        + plain("REGTIME", template.regtime)
        + body.xml()
        + "</VMTEMPLATE>"
    )


def _refuse_taken(world: World, name: str, uid: int) -> None:
    same = next((t for t in world.templates if t.name == name and t.uid == uid), None)
    if same:
        raise OneError(INTERNAL, f"NAME is already taken by TEMPLATE {same.id}.")


@method("one.template.allocate", "s")
def allocate(call: Call) -> int:
    """A new template."""
    world = call.world
    body = parsed(call.s(0))
    Request(world, call.user).need_create("TEMPLATE").decide()
    name = taken_name(body)
    _refuse_taken(world, name, call.user.id)
    template = VmTemplate(
        id=world.templates.next_id(),
        name=name,
        uid=call.user.id,
        gid=call.user.gids[0],
        regtime=now(),
        template=body,
    )
    return world.templates.save(template).id


@method("one.template.clone", "isb", 2)
def clone(call: Call) -> int:
    """A copy under another name."""
    world, origin = call.world, call.world.templates.get(call.i(0))
    Request(world, call.user).need("USE", origin).need_create("TEMPLATE").decide()
    _refuse_taken(world, call.s(1), call.user.id)
    template = VmTemplate(
        id=world.templates.next_id(),
        name=call.s(1),
        uid=call.user.id,
        gid=call.user.gids[0],
        regtime=now(),
        template=origin.template.copy(),
    )
    return world.templates.save(template).id


@method("one.template.delete", "ib", 1)
def delete(call: Call) -> int:
    """Delete a template; its VMs do not mind."""
    template = managed(call, "vmtemplate")
    call.world.pool("vmtemplate").remove(template)
    return template.id


@method("one.template.instantiate", "isbsb", 2)
def instantiate_template(call: Call) -> int:
    """A new VM: template, name, hold, extra template, persistent."""
    template = call.world.templates.get(call.i(0))
    order = Order(template, call.s(1), call.b(2), call.s(3), call.user)
    vm = instantiate(call.world, order)
    call.world.vms.save(vm)
    call.machine.tell(vm, (vm.state, vm.lcm))
    return vm.id


register_info("template", "vmtemplate", template_xml, "bb")
register_pool("template", "vmtemplate", "VMTEMPLATE_POOL", template_xml)
register_update("template", "vmtemplate")
register_owned("template", "vmtemplate")
