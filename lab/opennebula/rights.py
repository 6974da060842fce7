"""May this user do that? Permission bits, ACL, locks; refusals are collected into one message."""

from __future__ import annotations

from lab.opennebula import acl
from lab.opennebula.errors import AUTHORIZATION, OneError, denied
from lab.opennebula.model import Datastore, Host, Image, Owned, Secgroup, Thing, User, Vm
from lab.opennebula.model import Group as GroupThing
from lab.opennebula.model import Rule as RuleThing
from lab.opennebula.model import VmTemplate as TemplateThing
from lab.opennebula.model import Vnet as VnetThing
from lab.opennebula.world import World

_KINDS: dict[type[Thing], str] = {
    Vm: "VM",
    Host: "HOST",
    VnetThing: "NET",
    Image: "IMAGE",
    User: "USER",
    TemplateThing: "TEMPLATE",
    GroupThing: "GROUP",
    Datastore: "DATASTORE",
    Secgroup: "SECGROUP",
    RuleThing: "ACL",
}
_COLUMN = {"USE": 0, "MANAGE": 1, "ADMIN": 2}


def is_admin(user: User) -> bool:
    """oneadmin, and everybody in the group oneadmin."""
    return user.id == 0 or 0 in user.gids


class Request:
    """Collects what one call needs; `decide` raises with everything that is refused."""

    def __init__(self, world: World, user: User) -> None:
        self.world, self.user = world, user
        self.refused: list[str] = []

    def need(self, right: str, thing: Thing) -> Request:
        """Need a right on an object."""
        if not may(self.world, self.user, right, thing):
            self.refused.append(f"{right} {_KINDS[type(thing)]} [{thing.id}]")
        return self

    def need_create(self, kind: str) -> Request:
        """Need the right to create objects of a kind."""
        if not (is_admin(self.user) or _by_rule(self.world, self.user, "CREATE", kind, (-1, -1))):
            self.refused.append(f"CREATE {kind}")
        return self

    def need_cluster_admin(self, cluster: int) -> Request:
        """Need to administrate a cluster: only admins do."""
        if not is_admin(self.user):
            self.refused.append(f"ADMIN CLUSTER [{cluster}]")
        return self

    def decide(self) -> None:
        """Raises OneError AUTHORIZATION if anything was refused."""
        if self.refused:
            whole = "; ".join(f"Not authorized to perform {what}" for what in self.refused)
            raise denied(self.user.id, whole)


def may(world: World, user: User, right: str, thing: Thing) -> bool:
    """Has the user this right (USE, MANAGE, ADMIN) on the object?"""
    if is_admin(user):
        return True
    if isinstance(thing, Owned) and _by_bits(user, right, thing):
        return True
    if isinstance(thing, User):
        return thing.id == user.id and right != "ADMIN"
    if isinstance(thing, GroupThing):
        return thing.id in user.gids and right == "USE"
    gid = thing.gid if isinstance(thing, Owned) else -1
    return _by_rule(world, user, right, _KINDS[type(thing)], (thing.id, gid))


def _by_bits(user: User, right: str, thing: Owned) -> bool:
    column = _COLUMN[right]
    if thing.uid == user.id and thing.perms[column]:
        return True
    if thing.gid in user.gids and thing.perms[3 + column]:
        return True
    return bool(thing.perms[6 + column])


def _by_rule(world: World, user: User, right: str, kind: str, target: tuple[int, int]) -> bool:
    bit = acl.RIGHT_BITS[right]
    known = kind in acl.BITS
    return known and any(acl.allows(r, user, bit, kind, target) for r in world.rules)


def require(world: World, user: User, right: str, thing: Thing) -> None:
    """One right on one object. Raises OneError AUTHORIZATION."""
    Request(world, user).need(right, thing).decide()


_LOCK_LEVEL = {"USE": (1, 4), "MANAGE": (1, 2, 4), "ADMIN": (1, 2, 3, 4)}


def refuse_locked(user: User, thing: Owned, right: str, word: str = "VM") -> None:
    """A lock stops everybody, oneadmin too. Levels: 1 use and above, 2 manage, 3 admin, 4 all."""
    if thing.lock and thing.lock["LOCKED"] in _LOCK_LEVEL[right]:
        text = f"User [{user.id}] : {word} is locked. [{thing.id}]."
        raise OneError(AUTHORIZATION, text)
