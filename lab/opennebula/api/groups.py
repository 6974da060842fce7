"""Groups."""

from lab.opennebula import quotas
from lab.opennebula.api.common import managed, parsed, pool_xml, register_update
from lab.opennebula.attrs import cdata, ids, plain
from lab.opennebula.defaults import add_rule
from lab.opennebula.errors import ACTION, INTERNAL, OneError
from lab.opennebula.model import Group
from lab.opennebula.registry import Call, method
from lab.opennebula.rights import Request, may, require

# what the default VDC gives to every group: HOST/* MANAGE, NET/* USE, DATASTORE/* USE
VDC = ((0x2400000000, 2), (0x4400000000, 1), (0x100400000000, 1))


def group_xml(call: Call, group: Group) -> str:
    """The GROUP element."""
    members = sorted(user.id for user in call.world.users if group.id in user.gids)
    defaults = f"<DEFAULT_GROUP_QUOTAS>{quotas.NO_DEFAULTS}</DEFAULT_GROUP_QUOTAS>"
    return (
        "<GROUP>"
        + plain("ID", group.id)
        + plain("NAME", group.name)
        + group.template.xml()
        + ids("USERS", members)
        + "<ADMINS></ADMINS>"
        + quotas.xml(call.world, group)
        + f"<VLAN_RULES>{cdata('ID', group.id)}</VLAN_RULES>"
        + defaults
        + "</GROUP>"
    )


@method("one.group.allocate", "s")
def allocate(call: Call) -> int:
    """A new group, with the rights of the default VDC."""
    world = call.world
    Request(world, call.user).need_create("GROUP").decide()
    same = world.groups.find(call.s(0))
    if same:
        raise OneError(INTERNAL, f"NAME is already taken by GROUP {same.id}.")
    group = world.groups.save(Group(id=world.groups.next_id(), name=call.s(0)))
    for resource, rights in VDC:
        add_rule(world, 0x200000000 + group.id, resource, rights, 0x100000000)
    return group.id


@method("one.group.info", "ib", 0)
def info(call: Call) -> str:
    """A group; -1 is the caller's."""
    gid = call.user.gids[0] if call.i(0) == -1 else call.i(0)
    group = call.world.groups.get(gid)
    require(call.world, call.user, "USE", group)
    return group_xml(call, group)


@method("one.grouppool.info")
def pool_info(call: Call) -> str:
    """All groups the caller may see."""
    groups = call.world.groups.newest_first()
    seen = [g for g in groups if may(call.world, call.user, "USE", g)]
    return pool_xml("GROUP_POOL", (group_xml(call, group) for group in seen))


@method("one.group.delete", "i")
def delete(call: Call) -> int:
    """Delete a group that has no users, and its rules."""
    group = managed(call, "group", "ADMIN")
    if any(group.id in user.gids for user in call.world.users):
        raise OneError(ACTION, f"Cannot delete group. Group {group.id} is not empty.")
    for rule in [r for r in call.world.rules if r.user == 0x200000000 + group.id]:
        call.world.rules.remove(rule)
    call.world.pool("group").remove(group)
    return group.id


@method("one.group.quota", "is")
def quota(call: Call) -> int:
    """Set limits."""
    group = call.world.groups.get(call.i(0))
    require(call.world, call.user, "ADMIN", group)
    quotas.set_limits(group, parsed(call.s(1), ACTION))
    return call.world.groups.save(group).id


register_update("group", "group")
