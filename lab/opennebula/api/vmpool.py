"""Pools of VMs: short, extended and by ids; monitoring and accounting."""

from __future__ import annotations

from collections.abc import Callable

from lab.opennebula.api.common import paged, pool_xml, visible
from lab.opennebula.attrs import vector_xml
from lab.opennebula.errors import INTERNAL, OneError
from lab.opennebula.model import Vm
from lab.opennebula.names import DONE
from lab.opennebula.registry import Call, method
from lab.opennebula.render import history, monitoring, vm_long
from lab.opennebula.xmlrpc import Escaped


def _answer(call: Call, vms: list[Vm], extended: bool) -> Escaped:
    pieces = call.machine.cache
    inner = "".join(pieces.piece(vm, extended) for vm in vms)
    return Escaped(f"&lt;VM_POOL&gt;{inner}&lt;/VM_POOL&gt;")


def _in_state(state: int) -> Callable[[Vm], bool]:
    """-2 any, -1 any but DONE, else that number."""
    if state == -2:
        return lambda _: True
    if state == -1:
        return lambda vm: vm.state != DONE
    return lambda vm: vm.state == state


def _selected(call: Call) -> list[Vm]:
    if call.s(4):
        text = "JSON query search is not supported by the SQL backend"
        raise OneError(INTERNAL, text)
    fits = _in_state(call.i(3))
    living = [vm for vm in call.world.vms.newest_first() if fits(vm)]
    return paged(visible(call, living, call.i(0)), call.i(1), call.i(2))


@method("one.vmpool.info", "iiiis", 4)
def info(call: Call) -> Escaped:
    """The short form: none of our own attributes, no CONTEXT."""
    return _answer(call, _selected(call), extended=False)


@method("one.vmpool.infoextended", "iiiis", 4)
def infoextended(call: Call) -> Escaped:
    """The long form."""
    return _answer(call, _selected(call), extended=True)


@method("one.vmpool.infoset", "sb", 1)
def infoset(call: Call) -> Escaped:
    """The named VMs, DONE ones too; unknown ids are left out."""
    wanted = {int(part) for part in call.s(0).split(",") if part.strip().isdigit()}
    vms = [vm for vm in call.world.vms.newest_first() if vm.id in wanted]
    return _answer(call, visible(call, vms, -2), call.b(1))


@method("one.vmpool.monitoring", "ii", 1)
def monitoring_pool(call: Call) -> str:
    """What probes saw; second parameter 0 = only the last record of each VM."""
    records: list[str] = []
    for vm in visible(call, call.world.vms.newest_first()[::-1], call.i(0)):
        seen = monitoring(vm)
        shown = seen[-1:] if call.i(1) == 0 else seen
        records += (vector_xml("MONITORING", record) for record in shown)
    return pool_xml("MONITORING_DATA", records)


@method("one.vmpool.accounting", "iii")
def accounting(call: Call) -> str:
    """HISTORY records between two times, each with its VM."""
    start, end = call.i(1), call.i(2)
    records = []
    for vm in visible(call, call.world.vms.newest_first()[::-1], call.i(0)):
        body = vm_long(call.world, vm)
        for record in vm.history:
            ended = start >= 0 and 0 < record.etime < start
            if not ended and not (0 <= end < record.stime):
                text = history(vm, record).removesuffix("</HISTORY>")
                records.append(f"{text}{body}</HISTORY>")
    return pool_xml("HISTORY_RECORDS", records)


@method("one.vmpool.showback", "iiiii", 1)
def showback(_call: Call) -> str:
    """No costs are set in the lab: there is nothing to show."""
    return "<SHOWBACK_RECORDS></SHOWBACK_RECORDS>"
