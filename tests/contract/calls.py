"""What the parameters of the recorded calls mean: only so can a recorded request be sent again."""

from __future__ import annotations

import re

from tests.contract.compare import Known
from tests.contract.wire import Param

# Kind of each parameter after the session; "" is sent as recorded, "name" gets our prefix.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "one.acl.addrule": ("acl", "acl", "", "acl"),
    "one.acl.delrule": ("acl-rule",),
    "one.datastore.allocate": ("text", "cluster"),
    "one.datastore.info": ("datastore",),
    "one.group.allocate": ("name",),
    "one.group.info": ("group",),
    "one.group.quota": ("group", "text"),
    "one.host.allocate": ("name", "driver", "driver", "cluster"),
    "one.host.info": ("host",),
    "one.host.monitoring": ("host",),
    "one.host.status": ("host", ""),
    "one.image.allocate": ("text", "datastore"),
    "one.image.clone": ("image", "name"),
    "one.image.delete": ("image",),
    "one.image.enable": ("image", ""),
    "one.image.info": ("image",),
    "one.image.persistent": ("image", ""),
    "one.image.update": ("image", "text", ""),
    "one.secgroup.allocate": ("text",),
    "one.secgroup.commit": ("secgroup", ""),
    "one.secgroup.delete": ("secgroup",),
    "one.secgroup.info": ("secgroup",),
    "one.secgroup.update": ("secgroup", "text", ""),
    "one.template.allocate": ("text",),
    "one.template.chmod": ("template",),
    "one.template.clone": ("template", "name"),
    "one.template.delete": ("template",),
    "one.template.info": ("template", ""),
    "one.template.instantiate": ("template", "name", "", "text", ""),
    "one.template.update": ("template", "text", ""),
    "one.user.allocate": ("name", "password", "", "groups"),
    "one.user.info": ("user",),
    "one.user.login": ("name", "", "", ""),
    "one.user.quota": ("user", "text"),
    "one.vm.action": ("", "vm"),
    "one.vm.chmod": ("vm",),
    "one.vm.deploy": ("vm", "host", "", ""),
    "one.vm.info": ("vm",),
    "one.vm.lock": ("vm", "", ""),
    "one.vm.monitoring": ("vm",),
    "one.vm.recover": ("vm", ""),
    "one.vm.rename": ("vm", "name"),
    "one.vm.schedadd": ("vm", "text"),
    "one.vm.unlock": ("vm",),
    "one.vm.update": ("vm", "text", ""),
    "one.vm.updateconf": ("vm", "text", ""),
    "one.vmpool.info": ("filter", "from", "to", "", ""),
    "one.vmpool.infoextended": ("filter", "from", "to", "", ""),
    "one.vmpool.infoset": ("vms", ""),
    "one.vn.add_ar": ("vnet", "text"),
    "one.vn.allocate": ("text", ""),
    "one.vn.delete": ("vnet",),
    "one.vn.hold": ("vnet", "text"),
    "one.vn.info": ("vnet", ""),
    "one.vn.release": ("vnet", "text"),
    "one.vn.reserve": ("vnet", "text"),
    "one.vn.rm_ar": ("vnet", ""),
    "one.vn.update": ("vnet", "text", ""),
}
# Kind of the object whose id a successful call returns, when it is a new one.
MAKES = {
    "one.acl.addrule": "acl",
    "one.datastore.allocate": "datastore",
    "one.group.allocate": "group",
    "one.host.allocate": "host",
    "one.image.allocate": "image",
    "one.image.clone": "image",
    "one.secgroup.allocate": "secgroup",
    "one.template.allocate": "template",
    "one.template.clone": "template",
    "one.template.instantiate": "vm",
    "one.user.allocate": "user",
    "one.vn.allocate": "vnet",
    "one.vn.reserve": "vnet",
}
MISSING = {99: 2_000_000_099, 999: 2_000_000_999, 9999: 2_000_009_999, 99999: 2_000_099_999}
UNTOUCHED = {"", "text", "name", "password", "driver", "cluster"}
_OWN_NAME = re.compile(r'\b(NAME|IMAGE|NETWORK)="([a-z][\w.-]*)"|<NAME>([a-z][\w.-]*)<')
_ID_IN_TEXT = re.compile(r'\b(NETWORK_ID|IMAGE_ID|NETWORK=\[ID)="(\d+)"')
_GROUPS_IN_TEXT = re.compile(r'(SECURITY_GROUPS)="([\d,]+)"')
FOREIGN = {"nope", "nohost"}  # names that must stay unknown


class Unbound(LookupError):
    """A scenario uses a recorded object that it has not made: a mistake in the scenario."""


def live(kind: str, param: Param, known: Known) -> Param:
    """A recorded parameter as it has to be sent to this endpoint."""
    if isinstance(param, bool) or kind in {"", "password"}:
        return param
    if isinstance(param, list):
        return [bound("group", item, known) for item in param]
    if isinstance(param, int):
        return _live_number(kind, param, known)
    return _live_text(kind, param, known)


def bound(kind: str, recorded: int, known: Known) -> int:
    """The live id that stands for a recorded one; Unbound when the scenario made none."""
    if recorded < 0:
        return recorded
    if recorded in MISSING and (kind, recorded) not in known.ids:
        return MISSING[recorded]
    try:
        return known.ids[kind, recorded]
    except KeyError as absent:
        raise Unbound(f"no {kind} stands for the recorded {kind} {recorded}") from absent


def _live_number(kind: str, param: int, known: Known) -> int:
    if kind == "cluster":
        return MISSING.get(param, param)
    if kind == "filter":
        return bound("user", param, known)
    if kind in {"from", "to"}:  # ids when both are, else offset and page length
        return known.ids.get(("vm", param), param)
    return bound(kind, param, known)


def _live_text(kind: str, param: str, known: Known) -> str:
    if kind == "name":
        return known.prefix + param if param else param
    if kind == "vms":
        return ",".join(str(bound("vm", int(item), known)) for item in param.split(",") if item)
    if kind == "acl":
        return _live_rule(param, known)
    if kind == "driver":
        return param
    text = _OWN_NAME.sub(lambda found: _prefixed(found, known), param)
    text = text.replace('UNAME="oneadmin"', f'UNAME="{known.admin}"')
    text = _ID_IN_TEXT.sub(lambda found: _live_id(found, known), text)
    return _GROUPS_IN_TEXT.sub(lambda found: _live_groups(found, known), text)


def _prefixed(found: re.Match[str], known: Known) -> str:
    name = found[2] or found[3]
    if name in FOREIGN:
        return found[0]
    return found[0].replace(name, known.prefix + name) if name != "name" else found[0]


def _live_id(found: re.Match[str], known: Known) -> str:
    kind = "image" if found[1] == "IMAGE_ID" else "vnet"
    return f'{found[1]}="{bound(kind, int(found[2]), known)}"'


def _live_groups(found: re.Match[str], known: Known) -> str:
    ids = [str(bound("secgroup", int(item), known)) for item in found[2].split(",")]
    return f'{found[1]}="{",".join(ids)}"'


def _live_rule(param: str, known: Known) -> str:
    """One part of an ACL rule: a hexadecimal number whose low half is an id when bit 32 is set."""
    number = int(param, 16)
    kinds, recorded = number >> 32, number & 0xFFFFFFFF
    if not kinds & 1:
        return param
    kind = "user" if kinds == 1 else "secgroup" if kinds >> 12 else "vnet"
    return f"{(kinds << 32) | known.ids.get((kind, recorded), recorded):x}"
