"""What oned makes at its first start: users, groups, datastores, a security group, ACL."""

import secrets

from lab.opennebula.attrs import Attrs
from lab.opennebula.auth import hashed
from lab.opennebula.model import SHARED, Datastore, Group, Rule, Secgroup, User
from lab.opennebula.world import World

_DEFAULT_GROUP = (
    "The default security group is added to every network. Use it to add default filter rules for "
    "your networks. You may remove this security group from any network by updating its properties."
)
_RULES = (
    (0x200000001, 0x121429400000000, 8, 0x400000000),
    (0x400000000, 0x800400000000, 1, 0x400000000),
    (0x400000000, 0x18000400000000, 1, 0x400000000),
    (0x200000001, 0x2400000000, 2, 0x100000000),
    (0x200000001, 0x4400000000, 1, 0x100000000),
    (0x200000001, 0x100400000000, 1, 0x100000000),
)
_STORES = (("system", "SYSTEM_DS", 1), ("default", "IMAGE_DS", 0), ("files", "FILE_DS", 2))


def make(world: World, password: str) -> None:
    """Make what is missing, and set oneadmin's password: the file wins at every start."""
    with world.change():
        if not world.users.things:
            _make_all(world)
        admin = world.users.get(0)
        admin.password = hashed(password)
        world.users.save(admin)


def _make_all(world: World) -> None:
    for number, name in enumerate(("oneadmin", "users")):
        world.groups.save(Group(id=number, name=name))
    for number, name in enumerate(("oneadmin", "serveradmin")):
        user = User(id=number, name=name, password=hashed(secrets.token_hex()), gids=[0])
        world.users.save(user)
    world.counters["user"] = 2
    for rule in _RULES:
        add_rule(world, *rule)
    for number, (name, kind, code) in enumerate(_STORES):
        world.datastores.save(_datastore(number, name, kind, code))
    world.secgroups.save(_secgroup())


def add_rule(world: World, user: int, resource: int, rights: int, zone: int) -> None:
    """Add one ACL rule without asking anybody."""
    number = world.rules.next_id()
    rule = Rule(id=number, name="", user=user, resource=resource, rights=rights, zone=zone)
    world.rules.save(rule)


def _datastore(number: int, name: str, kind: str, code: int) -> Datastore:
    template = Attrs(store_attributes(kind).items())
    template.put("DS_MAD", "dummy")
    return Datastore(
        id=number, name=name, uid=0, gid=0, perms=list(SHARED), type=code, template=template
    )


def store_attributes(kind: str) -> dict[str, str]:
    """What the datastore driver adds, by TYPE."""
    common = {
        "ALLOW_ORPHANS": "NO",
        "PERSISTENT_SNAPSHOTS": "YES",
        "RESTRICTED_DIRS": "/",
        "SAFE_DIRS": "/var/tmp",  # noqa: S108 - a value on the wire, not a path of ours
        "TM_MAD": "dummy",
        "TYPE": kind,
    }
    if kind == "SYSTEM_DS":
        moves = dict.fromkeys(("DS_LIVE_MIGRATE", "DS_MIGRATE", "DS_MIGRATE_SNAP", "SHARED"), "YES")
        return {**common, **moves, "DISK_TYPE": "FILE"}
    return {**common, "CLONE_TARGET": "SYSTEM", "LN_TARGET": "NONE", "DISK_TYPE": "FILE"}


def _secgroup() -> Secgroup:
    template = Attrs([("DESCRIPTION", _DEFAULT_GROUP)])
    for direction in ("OUTBOUND", "INBOUND"):
        template.add("RULE", {"PROTOCOL": "ALL", "RULE_TYPE": direction})
    shared = [1, 1, 1, 1, 0, 0, 1, 0, 0]
    return Secgroup(id=0, name="default", uid=0, gid=0, perms=shared, template=template)
