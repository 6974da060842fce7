"""Users: passwords, login tokens, quotas."""

import secrets
import time

from lab.opennebula import quotas
from lab.opennebula.api.common import managed, parsed, pool_xml, register_update
from lab.opennebula.attrs import Attrs, cdata, ids, plain
from lab.opennebula.auth import hashed
from lab.opennebula.errors import ACTION, INTERNAL, OneError
from lab.opennebula.model import User
from lab.opennebula.registry import Call, method
from lab.opennebula.rights import Request, is_admin, require

FOREVER = 10**9


def _tokens(user: User) -> str:
    return "".join(
        f"<LOGIN_TOKEN>{plain('TOKEN', token)}{plain('EXPIRATION_TIME', expires)}"
        f"{plain('EGID', -1)}</LOGIN_TOKEN>"
        for token, expires in sorted(user.tokens.items())
    )


def user_xml(call: Call, user: User, *, pool: bool = False) -> str:
    """The USER element; in pools the defaults of the quotas follow once at the end."""
    group = call.world.groups.things.get(user.gids[0])
    defaults = f"<DEFAULT_USER_QUOTAS>{quotas.NO_DEFAULTS}</DEFAULT_USER_QUOTAS>"
    return (
        "<USER>"
        + plain("ID", user.id)
        + plain("GID", user.gids[0])
        + ids("GROUPS", sorted(user.gids))
        + plain("GNAME", group.name if group else "")
        + plain("NAME", user.name)
        + cdata("PASSWORD", user.password)
        + cdata("AUTH_DRIVER", user.driver)
        + plain("ENABLED", int(user.enabled))
        + _tokens(user)
        + user.template.xml()
        + ("" if pool else quotas.xml(call.world, user) + defaults)
        + "</USER>"
    )


@method("one.user.info", "ib", 0)
def info(call: Call) -> str:
    """A user; -1 is the caller."""
    oid = call.user.id if call.i(0) == -1 else call.i(0)
    user = call.world.users.get(oid)
    require(call.world, call.user, "USE", user)
    return user_xml(call, user)


@method("one.userpool.info")
def pool_info(call: Call) -> str:
    """All users."""
    users = call.world.users.newest_first()
    seen = [u for u in users if is_admin(call.user) or u.id == call.user.id]
    defaults = f"<DEFAULT_USER_QUOTAS>{quotas.NO_DEFAULTS}</DEFAULT_USER_QUOTAS>"
    return pool_xml("USER_POOL", [*(user_xml(call, u, pool=True) for u in seen), defaults])


@method("one.user.allocate", "sssl", 2)
def allocate(call: Call) -> int:
    """A new user: name, password, driver, groups."""
    world = call.world
    Request(world, call.user).need_create("USER").decide()
    same = world.users.find(call.s(0))
    if same:
        raise OneError(INTERNAL, f"NAME is already taken by USER {same.id}.")
    if not call.s(0):
        raise OneError(INTERNAL, "Invalid NAME, it cannot be empty")
    gids = [world.groups.get(gid).id for gid in call.numbers(3)] or [1]
    user = User(
        id=world.users.next_id(),
        name=call.s(0),
        password=hashed(call.s(1)),
        gids=gids,
        driver=call.s(2) or "core",
        template=Attrs([("TOKEN_PASSWORD", secrets.token_hex(32))]),
    )
    return world.users.save(user).id


@method("one.user.delete", "i")
def delete(call: Call) -> int:
    """Delete a user; oneadmin stays."""
    user = managed(call, "user", "ADMIN")
    if user.id == 0:
        raise OneError(ACTION, "Cannot delete user. oneadmin cannot be deleted.")
    call.world.pool("user").remove(user)
    return user.id


@method("one.user.passwd", "is")
def passwd(call: Call) -> int:
    """A new password."""
    user = call.world.users.get(call.i(0))
    require(call.world, call.user, "MANAGE", user)
    user.password = hashed(call.s(1))
    return call.world.users.save(user).id


@method("one.user.login", "ssii", 3)
def login(call: Call) -> str:
    """A token that works as password: name, token ("" = make one), seconds (0 = reset)."""
    user = call.world.users.find(call.s(0))
    if user is None or (user.id != call.user.id and not is_admin(call.user)):
        raise OneError(0x0200, "User cannot manage login tokens of others.")
    token = call.s(1) or secrets.token_hex(32)
    if call.i(2) == 0:
        user.tokens = {} if not call.s(1) else {k: v for k, v in user.tokens.items() if k != token}
    else:
        seconds = call.i(2) if call.i(2) > 0 else FOREVER
        user.tokens[token] = int(time.time()) + seconds
    call.world.users.save(user)
    return token if call.i(2) else ""


@method("one.user.quota", "is")
def quota(call: Call) -> int:
    """Set limits."""
    user = call.world.users.get(call.i(0))
    require(call.world, call.user, "ADMIN", user)
    quotas.set_limits(user, parsed(call.s(1), ACTION))
    return call.world.users.save(user).id


@method("one.user.chgrp", "ii")
def chgrp(call: Call) -> int:
    """Another primary group."""
    user = call.world.users.get(call.i(0))
    require(call.world, call.user, "ADMIN", user)
    gid = call.world.groups.get(call.i(1)).id
    user.gids = [gid, *(g for g in user.gids[1:] if g != gid)]
    return call.world.users.save(user).id


@method("one.user.addgroup", "ii")
def addgroup(call: Call) -> int:
    """One more group."""
    user = call.world.users.get(call.i(0))
    require(call.world, call.user, "ADMIN", user)
    gid = call.world.groups.get(call.i(1)).id
    if gid not in user.gids:
        user.gids.append(gid)
    return call.world.users.save(user).id


@method("one.user.enable", "ib")
def enable(call: Call) -> int:
    """Enable or disable."""
    user = call.world.users.get(call.i(0))
    require(call.world, call.user, "ADMIN", user)
    user.enabled = call.b(1)
    return call.world.users.save(user).id


register_update("user", "user")
