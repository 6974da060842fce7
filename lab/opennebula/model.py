"""The objects of the front-end, as plain data; every one can be written as JSON and read back."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from lab.opennebula.attrs import Attrs

PRIVATE = [1, 1, 0, 0, 0, 0, 0, 0, 0]  # owner use+manage: umask 177
SHARED = [1, 1, 0, 1, 0, 0, 0, 0, 0]  # datastores: the group may use them too


@dataclass(kw_only=True)
class Thing:
    """Anything with an id and a name."""

    id: int
    name: str
    template: Attrs = field(default_factory=Attrs)


@dataclass(kw_only=True)
class Owned(Thing):
    """Anything that belongs to a user and a group and has permissions."""

    uid: int
    gid: int
    perms: list[int] = field(default_factory=lambda: list(PRIVATE))
    lock: dict[str, int] = field(default_factory=dict)


@dataclass(kw_only=True)
class Group(Thing):
    quotas: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)


@dataclass(kw_only=True)
class User(Thing):
    """password: SHA-256 in hex, as oned stores and shows it. tokens: token -> expiry epoch."""

    password: str
    gids: list[int]
    driver: str = "core"
    enabled: bool = True
    tokens: dict[str, int] = field(default_factory=dict)
    quotas: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Rule(Thing):
    """One ACL rule; the four numbers are 64-bit masks."""

    user: int
    resource: int
    rights: int
    zone: int


@dataclass(kw_only=True)
class Host(Thing):
    """total_cpu in percent of a core, total_mem in KiB."""

    im_mad: str
    vm_mad: str
    state: int = 0
    total_cpu: int = 0
    total_mem: int = 0


@dataclass(kw_only=True)
class Datastore(Owned):
    type: int = 0


@dataclass(kw_only=True)
class Image(Owned):
    type: int
    datastore: int
    path: str
    size: int
    persistent: int = 0
    regtime: int = 0
    source: str = ""
    format: str = ""
    state: int = 4
    prev_state: int = 0
    cloning_id: int = -1
    vms: list[int] = field(default_factory=list)


@dataclass(kw_only=True)
class Range:
    """An address range. leases: index -> ("VM" | "VNET", id)."""

    id: int
    type: str
    ip: str
    mac: str
    size: int
    next_index: int = 0
    parent: int = -1
    leases: dict[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Vnet(Owned):
    state: int = 2
    prev_state: int = 0
    parent: int = -1
    ranges: list[Range] = field(default_factory=list)


@dataclass(kw_only=True)
class Secgroup(Owned):
    outdated: list[int] = field(default_factory=list)


@dataclass(kw_only=True)
class VmTemplate(Owned):
    regtime: int = 0


@dataclass(kw_only=True)
class Hook(Thing):
    type: str = "state"


@dataclass(kw_only=True)
class History:
    """One placement of a VM; times are epochs, 0 = not yet."""

    hid: int
    hostname: str
    vm_mad: str
    ds_id: int
    tm_mad: str
    stime: int
    etime: int = 0
    plan_id: int = -2
    action_id: int = -1
    pstime: int = 0
    petime: int = 0
    rstime: int = 0
    retime: int = 0
    estime: int = 0
    eetime: int = 0
    action: int = 0
    uid: int = -1
    gid: int = -1
    request_id: int = -1


@dataclass(kw_only=True)
class SchedAction:
    """A scheduled action: what and when (epoch)."""

    id: int
    action: str
    time: int
    done: int = -1
    args: str = ""


@dataclass(kw_only=True)
class Vm(Owned):
    state: int
    lcm: int = 0
    stime: int = 0
    etime: int = 0
    resched: int = 0
    deploy_id: str = ""
    token: str = ""
    user_template: Attrs = field(default_factory=Attrs)
    history: list[History] = field(default_factory=list)
    actions: list[SchedAction] = field(default_factory=list)
    hard: bool = False  # the running SHUTDOWN is a pulled plug
    resume_from: int = 0  # STOPPED or UNDEPLOYED, while it waits to be placed again

    @property
    def placed(self) -> History | None:
        """The newest placement."""
        return self.history[-1] if self.history else None


_NESTED = {cls.__name__: cls for cls in (Range, History, SchedAction)}
KINDS: dict[str, type[Thing]] = {
    cls.__name__.lower(): cls
    for cls in (
        Group, User, Rule, Host, Datastore, Image, Vnet, Secgroup, VmTemplate, Hook, Vm,
    )
}  # fmt: skip


def dump(thing: Thing) -> str:
    """The object as one line of JSON."""
    return json.dumps(_fields(thing), default=_encode)


def load(kind: str, body: str) -> Thing:
    """The object again. kind: the key in KINDS."""
    return KINDS[kind](**json.loads(body, object_hook=_decode))


def _fields(value: Any) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}


def _encode(value: object) -> dict[str, Any]:
    if isinstance(value, Attrs):
        return {"@": "Attrs", "items": value.items}
    return {"@": type(value).__name__, **_fields(value)}


def _decode(value: dict[str, Any]) -> object:
    name = value.pop("@", None)
    if name is None:
        return value
    if name == "Attrs":
        return Attrs((key, item) for key, item in value["items"])
    return _NESTED[name](**value)
