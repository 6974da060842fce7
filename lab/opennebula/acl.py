"""ACL rules: three masks of 64 bits, and their text form."""

from lab.opennebula.model import Rule, User

INDIVIDUAL, GROUP, ALL, CLUSTER = 0x100000000, 0x200000000, 0x400000000, 0x800000000
TYPES = {
    0x1000000000: "VM", 0x2000000000: "HOST", 0x4000000000: "NET", 0x8000000000: "IMAGE",
    0x10000000000: "USER", 0x20000000000: "TEMPLATE", 0x40000000000: "GROUP",
    0x100000000000: "DATASTORE", 0x200000000000: "CLUSTER", 0x400000000000: "DOCUMENT",
    0x800000000000: "ZONE", 0x1000000000000: "SECGROUP", 0x2000000000000: "VDC",
    0x4000000000000: "VROUTER", 0x8000000000000: "MARKETPLACE",
    0x10000000000000: "MARKETPLACEAPP", 0x20000000000000: "VMGROUP",
    0x40000000000000: "VNTEMPLATE", 0x80000000000000: "HOOK", 0x100000000000000: "BACKUPJOB",
}  # fmt: skip
BITS = {name: bit for bit, name in TYPES.items()}
RIGHTS = {1: "USE", 2: "MANAGE", 4: "ADMIN", 8: "CREATE"}
RIGHT_BITS = {name: bit for bit, name in RIGHTS.items()}
_ALL_ZONES_FINE = BITS["USER"] | BITS["GROUP"] | BITS["ZONE"]


def _selector(mask: int) -> str:
    if mask & ALL:
        return "*"
    mark = "#" if mask & INDIVIDUAL else "@" if mask & GROUP else "%"
    return f"{mark}{mask & 0xFFFFFFFF}"


def text(rule: Rule) -> str:
    """The rule as people write it, e.g. `#2 IMAGE/* USE *`."""
    kinds = "+".join(name for bit, name in TYPES.items() if rule.resource & bit)
    rights = "+".join(name for bit, name in RIGHTS.items() if rule.rights & bit)
    where = f"{kinds}/{_selector(rule.resource)}"
    return f"{_selector(rule.user)} {where} {rights} {_selector(rule.zone)}"


def flaw(rule: Rule) -> str | None:
    """Why oned refuses the rule, or None."""
    lonely = rule.resource & INDIVIDUAL and not rule.resource & _ALL_ZONES_FINE
    if lonely and rule.zone & ALL:
        return (
            "[resource] INDIVIDUAL(#) selector cannot be applied to ALL zones, "
            "except for USER, GROUP and ZONE types"
        )
    return None


def allows(rule: Rule, user: User, right: int, kind: str, target: tuple[int, int]) -> bool:
    """Does the rule give this right? target: (id, group id); -1 for CREATE."""
    return bool(
        rule.rights & right and rule.resource & BITS[kind] and _covers(rule.resource, target)
    ) and _names(rule.user, user)


def _covers(mask: int, target: tuple[int, int]) -> bool:
    number, (oid, gid) = mask & 0xFFFFFFFF, target
    if mask & INDIVIDUAL:
        return number == oid
    if mask & GROUP:
        return number == gid
    return bool(mask & (ALL | CLUSTER))


def _names(mask: int, user: User) -> bool:
    number = mask & 0xFFFFFFFF
    if mask & INDIVIDUAL:
        return number == user.id
    if mask & GROUP:
        return number in user.gids
    return bool(mask & ALL)
