"""Security groups."""

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
from lab.opennebula.attrs import Attrs, ids, plain
from lab.opennebula.errors import ACTION, INTERNAL, OneError
from lab.opennebula.model import Secgroup, Thing
from lab.opennebula.registry import Call, method
from lab.opennebula.release import running_in
from lab.opennebula.render import owner, permissions
from lab.opennebula.rights import Request

_PROTOCOLS = ("TCP", "UDP", "ICMP", "ICMPV6", "IPSEC", "ALL")
COMMIT = 0.3


def secgroup_xml(call: Call, thing: Thing) -> str:
    """The SECURITY_GROUP element."""
    group = cast(Secgroup, thing)
    using = running_in(call.world, group.id)
    outdated = [oid for oid in group.outdated if oid in using]
    updated = [oid for oid in using if oid not in outdated]
    return (
        "<SECURITY_GROUP>"
        + plain("ID", group.id)
        + owner(call.world, group)
        + plain("NAME", group.name)
        + permissions(group)
        + ids("UPDATED_VMS", updated)
        + ids("OUTDATED_VMS", outdated)
        + "<UPDATING_VMS></UPDATING_VMS><ERROR_VMS></ERROR_VMS>"
        + group.template.xml()
        + "</SECURITY_GROUP>"
    )


def _check_rules(body: Attrs) -> None:
    for rule in body.vectors("RULE"):
        if rule.get("PROTOCOL", "").upper() not in _PROTOCOLS:
            text = f"Wrong PROTOCOL in rule. Valid options: {', '.join(_PROTOCOLS)}."
            raise OneError(INTERNAL, text)
        if rule.get("RULE_TYPE", "").upper() not in ("INBOUND", "OUTBOUND"):
            text = "Wrong RULE_TYPE in rule. Valid options: INBOUND, OUTBOUND."
            raise OneError(INTERNAL, text)


@method("one.secgroup.allocate", "s")
def allocate(call: Call) -> int:
    """A new security group from template text."""
    world = call.world
    body = parsed(call.s(0))
    Request(world, call.user).need_create("SECGROUP").decide()
    name = taken_name(body)
    _check_rules(body)
    same = next((g for g in world.secgroups if g.name == name and g.uid == call.user.id), None)
    if same:
        raise OneError(INTERNAL, f"NAME is already taken by SecurityGroup {same.id}.")
    group = Secgroup(
        id=world.secgroups.next_id(),
        name=name,
        uid=call.user.id,
        gid=call.user.gids[0],
        template=body,
    )
    return world.secgroups.save(group).id


@method("one.secgroup.delete", "i")
def delete(call: Call) -> int:
    """Delete a group that no VM uses; the default one stays."""
    group = managed(call, "secgroup")
    what = "Cannot delete security group. "
    if group.id == 0:
        raise OneError(ACTION, what + "The default security group (ID 0) cannot be deleted.")
    if running_in(call.world, group.id):
        raise OneError(ACTION, what + "There are VMs using it")
    call.world.pool("secgroup").remove(group)
    return group.id


@method("one.secgroup.commit", "ib", 1)
def commit(call: Call) -> int:
    """Bring the rules to the VMs: asynchronous."""
    world, group = call.world, cast(Secgroup, managed(call, "secgroup"))
    group.outdated = running_in(world, group.id)
    world.secgroups.save(group)
    world.after(COMMIT, lambda: _committed(call, group))
    return group.id


def _committed(call: Call, group: Secgroup) -> None:
    if group.id in call.world.secgroups.things:
        group.outdated = []
        call.world.secgroups.save(group)


def _changed(call: Call, thing: Thing, body: Attrs) -> None:
    _check_rules(body)
    cast(Secgroup, thing).outdated = running_in(call.world, thing.id)


register_info("secgroup", "secgroup", secgroup_xml)
register_pool("secgroup", "secgroup", "SECURITY_GROUP_POOL", secgroup_xml)
register_update("secgroup", "secgroup", _changed)
register_owned("secgroup", "secgroup")
