"""XML of a VM, long and short form, with a cache: 1,000 VMs are answered from ready pieces."""

from __future__ import annotations

import time
import zlib
from xml.sax.saxutils import escape

from lab.opennebula.attrs import Vector, cdata, ids, plain, vector_xml
from lab.opennebula.model import History, Owned, SchedAction, Vm
from lab.opennebula.names import ACTIVE, DONE, RUNNING
from lab.opennebula.world import World

_PERMS = [f"{who}_{what}" for who in ("OWNER", "GROUP", "OTHER") for what in "UMA"]
_SHORT_USER = (
    "LABELS", "ERROR", "SCHED_MESSAGE", "SCHED_RANK", "SCHED_DS_RANK", "SCHED_REQUIREMENTS",
    "SCHED_DS_REQUIREMENTS", "USER_PRIORITY", "SCHED_ACTION",
)  # fmt: skip
_SHORT_DISK = (
    "DISK_ID", "DATASTORE", "DATASTORE_ID", "IMAGE", "IMAGE_ID", "SIZE", "TYPE", "CLONE",
    "CLONE_TARGET", "LN_TARGET", "DISK_SNAPSHOT_TOTAL_SIZE",
)  # fmt: skip
_SHORT_NIC = ("IP", "MAC", "NETWORK", "NETWORK_ID", "NIC_ID", "SECURITY_GROUPS")
PROBE = 30  # seconds between two monitoring records of a RUNNING VM


def permissions(thing: Owned) -> str:
    """The PERMISSIONS element."""
    bits = zip(_PERMS, thing.perms, strict=True)
    return f"<PERMISSIONS>{''.join(plain(tag, bit) for tag, bit in bits)}</PERMISSIONS>"


def owner(world: World, thing: Owned) -> str:
    """UID, GID, UNAME, GNAME."""
    user, group = world.users.things.get(thing.uid), world.groups.things.get(thing.gid)
    return (
        plain("UID", thing.uid)
        + plain("GID", thing.gid)
        + plain("UNAME", user.name if user else "")
        + plain("GNAME", group.name if group else "")
    )


def lock(thing: Owned) -> str:
    """The LOCK element, if the object is locked."""
    if not thing.lock:
        return ""
    order = ("LOCKED", "OWNER", "TIME", "REQ_ID")
    return f"<LOCK>{''.join(plain(key, thing.lock[key]) for key in order)}</LOCK>"


def history(vm: Vm, record: History) -> str:
    """One HISTORY record in full."""
    times = ("pstime", "petime", "rstime", "retime", "estime", "eetime")
    return (
        "<HISTORY>"
        + plain("OID", vm.id)
        + plain("SEQ", vm.history.index(record))
        + plain("HOSTNAME", record.hostname)
        + plain("HID", record.hid)
        + plain("CID", 0)
        + plain("STIME", record.stime)
        + plain("ETIME", record.etime)
        + cdata("VM_MAD", record.vm_mad)
        + cdata("TM_MAD", record.tm_mad)
        + plain("DS_ID", record.ds_id)
        + plain("PLAN_ID", record.plan_id)
        + plain("ACTION_ID", record.action_id)
        + "".join(plain(name.upper(), getattr(record, name)) for name in times)
        + plain("ACTION", record.action)
        + plain("UID", record.uid)
        + plain("GID", record.gid)
        + plain("REQUEST_ID", record.request_id)
        + "</HISTORY>"
    )


def records(vm: Vm) -> str:
    """HISTORY_RECORDS; a VM that was never placed has an empty element."""
    if not vm.history:
        return "<HISTORY_RECORDS/>"
    return f"<HISTORY_RECORDS>{''.join(history(vm, r) for r in vm.history)}</HISTORY_RECORDS>"


def monitoring(vm: Vm) -> list[Vector]:
    """What probes would have seen, one record per 30 s of RUNNING, newest last (20 at most)."""
    record = vm.placed
    if vm.state != ACTIVE or vm.lcm != RUNNING or record is None:
        return []
    probes = range(record.rstime + PROBE, int(time.time()) + 1, PROBE)
    return [_sample(vm, at) for at in probes[-20:]]


def _sample(vm: Vm, at: int) -> Vector:
    limits = {
        "CPU": 1, "DISKRDBYTES": 1000, "DISKRDIOPS": 1000, "DISKWRBYTES": 1000,
        "DISKWRIOPS": 1000, "MEMORY": 65536, "NETRX": 7000, "NETTX": 7000,
    }  # fmt: skip
    sample = {  # made up, but the same at each look
        name: str(zlib.crc32(f"{vm.id} {name} {at}".encode()) % limit)
        for name, limit in limits.items()
    }
    return {**sample, "ID": str(vm.id), "TIMESTAMP": str(at)}


def _monitoring(vm: Vm, probed: bool) -> tuple[str, str]:
    """(LAST_POLL, inside of MONITORING); only one.vm.info has it."""
    seen = monitoring(vm) if probed else []
    if not seen:
        return "0", ""
    last = seen[-1]
    return last["TIMESTAMP"], "".join(cdata(key, last[key]) for key in sorted(last))


def _sched_action(vm: Vm, action: SchedAction) -> str:
    fields = {
        "ID": action.id, "PARENT_ID": vm.id, "TYPE": "VM", "ACTION": action.action,
        "ARGS": action.args, "TIME": action.time, "REPEAT": -1, "DAYS": "", "END_TYPE": -1,
        "END_VALUE": -1, "DONE": action.done, "MESSAGE": "", "WARNING": 0,
    }  # fmt: skip
    return f"<SCHED_ACTION>{''.join(plain(k, v) for k, v in fields.items())}</SCHED_ACTION>"


def vm_long(
    world: World, vm: Vm, *, before: tuple[int, int] | None = None, single: bool = False
) -> str:
    """The long form. before: the state before, only events show it; single: as one.vm.info."""
    state, lcm = before or (vm.state, vm.lcm)
    poll, probed = _monitoring(vm, single)
    planned = vm.actions if single and vm.state != DONE else []
    return (
        "<VM>"
        + plain("ID", vm.id)
        + owner(world, vm)
        + plain("NAME", vm.name)
        + permissions(vm)
        + plain("LAST_POLL", poll)
        + plain("STATE", vm.state)
        + plain("LCM_STATE", vm.lcm)
        + plain("PREV_STATE", state)
        + plain("PREV_LCM_STATE", lcm)
        + _life(vm)
        + f"<MONITORING>{probed}</MONITORING>"
        + ids("SCHED_ACTIONS", (action.id for action in vm.actions))
        + f"<TEMPLATE>{vm.template.inner()}{''.join(_sched_action(vm, a) for a in planned)}"
        + f"</TEMPLATE>{vm.user_template.xml('USER_TEMPLATE')}{records(vm)}"
        + "<BACKUPS><BACKUP_CONFIG/><BACKUP_IDS></BACKUP_IDS></BACKUPS></VM>"
    )


def _life(vm: Vm) -> str:
    return (
        plain("RESCHED", vm.resched)
        + plain("STIME", vm.stime)
        + plain("ETIME", vm.etime)
        + plain("DEPLOY_ID", vm.deploy_id)
        + lock(vm)
    )


def _selected(name: str, vector: Vector, keys: tuple[str, ...]) -> str:
    inner = "".join(cdata(key, vector[key]) for key in keys if key in vector)
    return f"<{name}>{inner}</{name}>"


def _short_template(vm: Vm) -> str:
    template = vm.template
    sizes = "".join(plain(name, template.text(name)) for name in ("CPU", "MEMORY", "VCPU"))
    disks = "".join(_selected("DISK", d, _SHORT_DISK) for d in template.vectors("DISK"))
    nics = "".join(_selected("NIC", n, _SHORT_NIC) for n in template.vectors("NIC"))
    screens = "".join(vector_xml("GRAPHICS", g) for g in template.vectors("GRAPHICS"))
    return f"<TEMPLATE>{sizes}{disks}{nics}{screens}</TEMPLATE>"


def _short_history(vm: Vm) -> str:
    record = vm.placed
    if record is None:
        return "<HISTORY_RECORDS/>"
    return (
        "<HISTORY_RECORDS><HISTORY>"
        + plain("OID", vm.id)
        + plain("SEQ", len(vm.history) - 1)
        + cdata("HOSTNAME", record.hostname)
        + plain("HID", record.hid)
        + plain("CID", 0)
        + plain("DS_ID", record.ds_id)
        + cdata("VM_MAD", record.vm_mad)
        + cdata("TM_MAD", record.tm_mad)
        + cdata("ACTION", record.action)
        + "</HISTORY></HISTORY_RECORDS>"
    )


def vm_short(world: World, vm: Vm) -> str:
    """The short form of one.vmpool.info: no PERMISSIONS, no CONTEXT, no attributes of ours."""
    user = vm.user_template.copy()
    user.discard(*(name for name in user.names() if name not in _SHORT_USER))
    return (
        "<VM>"
        + plain("ID", vm.id)
        + owner(world, vm)
        + plain("NAME", vm.name)
        + plain("LAST_POLL", 0)
        + plain("STATE", vm.state)
        + plain("LCM_STATE", vm.lcm)
        + _life(vm)
        + f"{_short_template(vm)}<MONITORING/>{user.xml('USER_TEMPLATE')}{_short_history(vm)}</VM>"
    )


class VmCache:
    """Escaped XML per VM and form; a saved VM loses its pieces."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._pieces: dict[tuple[int, bool], str] = {}
        world.on_saved.append(self._forget)

    def _forget(self, kind: str, oid: int) -> None:
        if kind == "vm":
            self._pieces.pop((oid, True), None)
            self._pieces.pop((oid, False), None)
        elif kind in ("user", "group"):
            self._pieces.clear()  # their names are inside

    def piece(self, vm: Vm, extended: bool) -> str:
        """The VM, escaped for the wire."""
        key = (vm.id, extended)
        if key not in self._pieces:
            text = vm_long(self.world, vm) if extended else vm_short(self.world, vm)
            self._pieces[key] = escape(text)
        return self._pieces[key]
