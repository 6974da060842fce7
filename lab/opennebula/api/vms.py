"""Calls on one VM."""

from __future__ import annotations

import re
from typing import cast

from lab.opennebula import context
from lab.opennebula import names as n
from lab.opennebula.actions import ADMIN_ACTIONS, Actor, act, recover
from lab.opennebula.api.common import MERGE, parsed, register_owned
from lab.opennebula.api.images import begin_copy, copy_of
from lab.opennebula.attrs import Attrs, vector_xml
from lab.opennebula.capacity import lacking
from lab.opennebula.devices import add_nic, find_vnet
from lab.opennebula.errors import ACTION, OneError, missing
from lab.opennebula.instantiate import check_sizes, planned_actions
from lab.opennebula.model import History, Vm
from lab.opennebula.registry import Call, method
from lab.opennebula.release import release_leases
from lab.opennebula.render import monitoring, vm_long
from lab.opennebula.rights import refuse_locked, require
from lab.opennebula.scheduler import system_datastores
from lab.opennebula.steps import now

_CONFIGURATION = (
    "OS", "FEATURES", "INPUT", "GRAPHICS", "VIDEO", "RAW", "CPU_MODEL", "CONTEXT", "TPM",
)  # fmt: skip


def actor(call: Call) -> Actor:
    """Who calls, for the HISTORY record."""
    return Actor(call.user.id, call.user.gids[0], call.request_id)


def own(call: Call, right: str = "MANAGE", position: int = 0) -> Vm:
    """The VM of a parameter, if the caller has the right and it is not locked."""
    vm = call.world.vms.get(call.i(position))
    require(call.world, call.user, right, vm)
    refuse_locked(call.user, vm, right)
    return vm


@method("one.vm.info", "ib", 1)
def info(call: Call) -> str:
    """One VM in full; DONE ones for ever."""
    vm = call.world.vms.get(call.i(0))
    require(call.world, call.user, "USE", vm)
    return vm_long(call.world, vm, single=True)


@method("one.vm.action", "si")
def action(call: Call) -> int:
    """Name first, then the id. Accepted is not done."""
    right = "ADMIN" if call.s(0) in ADMIN_ACTIONS else "MANAGE"
    vm = own(call, right, 1)
    act(call.machine, vm, call.s(0), actor(call))
    return vm.id


@method("one.vm.recover", "ii")
def recover_vm(call: Call) -> int:
    """0 failure, 1 success, 2 retry, 3 delete, 4 delete-recreate, 5 delete-db."""
    vm = own(call, "ADMIN")
    recover(call.machine, vm, call.i(1), actor(call))
    return vm.id


@method("one.vm.deploy", "iibis", 2)
def deploy(call: Call) -> int:
    """Place a VM at once: id, host, enforce capacity, datastore (-1 = any)."""
    world, vm = call.world, own(call, "ADMIN")
    host = world.hosts.get(call.i(1))
    if vm.state not in (n.PENDING, n.HOLD):
        state = n.vm_state_name(vm.state, vm.lcm)
        raise OneError(ACTION, f"Deploy action is not available for state {state}")
    lack = lacking(world, vm, host) if call.b(2) else ""
    if lack:
        where = f"virtual machine [{vm.id}] does not fit in host [{host.id}]."
        raise OneError(ACTION, f"{where} Not enough {lack}")
    store = world.datastores.get(call.i(3)) if call.i(3) >= 0 else system_datastores(world)[0]
    call.machine.deploy(vm, host, store, planned=False)
    return vm.id


@method("one.vm.update", "isi", 2)
def update(call: Call) -> int:
    """The user template: merge (1) or replace (0). In any state."""
    vm = own(call)
    change_user_template(vm, parsed(call.s(1), ACTION), merge=call.i(2) == MERGE)
    return call.world.vms.save(vm).id


def change_user_template(vm: Vm, body: Attrs, *, merge: bool) -> None:
    """What one.vm.update and OneGate do."""
    if merge:
        vm.user_template.merge(body)
    else:
        vm.user_template = body


@method("one.vm.updateconf", "isi", 2)
def updateconf(call: Call) -> int:
    """New CONTEXT (and GRAPHICS, OS, ...); third parameter 1 appends. A running VM is told."""
    vm = own(call)
    state = n.vm_state_name(vm.state, vm.lcm)
    if state not in ("PENDING", "HOLD", "POWEROFF", "UNDEPLOYED", "RUNNING", "BOOT_FAILURE"):
        raise OneError(ACTION, f"configuration cannot be updated in state {state}.")
    body = parsed(call.s(1), ACTION)
    given = body.vector("CONTEXT")
    if given is not None:
        fresh = context.rebuild(vm, given, call.world.users.get(vm.uid))
        old = (vm.template.vector("CONTEXT") or {}) if call.i(2) == MERGE else {}
        body.put("CONTEXT", {**old, **fresh})
    if call.i(2) != MERGE:
        vm.template.discard(*_CONFIGURATION)  # what is not in the text is gone
    vm.template.merge(body)
    call.world.vms.save(vm)
    if (vm.state, vm.lcm) == (n.ACTIVE, n.RUNNING) and given is not None:
        call.machine.enter(vm, n.ACTIVE, n.HOTPLUG)
    return vm.id


@method("one.vm.resize", "isb", 2)
def resize(call: Call) -> int:
    """CPU, VCPU, MEMORY of a VM that does not run."""
    vm = own(call)
    if (vm.state, vm.lcm) == (n.ACTIVE, n.RUNNING):
        mad = vm.placed.vm_mad if vm.placed else "dummy"
        raise OneError(ACTION, f"Hotplug resize not supported by driver {mad}")
    if vm.state not in (n.POWEROFF, n.UNDEPLOYED, n.PENDING, n.HOLD):
        state = n.vm_state_name(vm.state, vm.lcm)
        raise OneError(ACTION, f"Resize action is not available for state {state}")
    wanted, trial = parsed(call.s(1), ACTION), vm.template.copy()
    wanted.discard(*(wanted.names() - {"CPU", "VCPU", "MEMORY"}))
    trial.merge(wanted)
    check_sizes(trial)
    vm.template = trial
    return call.world.vms.save(vm).id


@method("one.vm.attachnic", "is")
def attachnic(call: Call) -> int:
    """One more NIC: 3/25 and then RUNNING again, with a new HISTORY record."""
    vm = own(call)
    _needs_running(vm, "attachnic")
    nic = parsed(call.s(1), ACTION).vector("NIC") or {}
    net = find_vnet(call.world, nic, call.user)
    if net is None:
        raise missing("virtual network", -1)
    require(call.world, call.user, "USE", net)
    number = len(vm.template.vectors("NIC"))
    add_nic(call.world, vm, nic, net, number)
    vm.template.add("NIC", nic)
    _hotplug(call, vm, "nic-attach")
    return vm.id


@method("one.vm.detachnic", "ii")
def detachnic(call: Call) -> int:
    """One NIC less."""
    vm = own(call)
    _needs_running(vm, "detachnic")
    nics = {nic.get("NIC_ID"): nic for nic in vm.template.vectors("NIC")}
    gone = nics.get(str(call.i(1)))
    if gone is None:
        raise OneError(ACTION, f"Could not detach NIC, {call.i(1)} does not exist.")
    vm.template.items = [item for item in vm.template.items if item[1] is not gone]
    release_leases(call.world, vm, int(gone.get("NETWORK_ID", "-1")))
    _hotplug(call, vm, "nic-detach")
    return vm.id


def _needs_running(vm: Vm, name: str) -> None:
    if (vm.state, vm.lcm) != (n.ACTIVE, n.RUNNING):
        state = n.vm_state_name(vm.state, vm.lcm)
        raise OneError(ACTION, f"Could not {name}, wrong state {state}.")


def _hotplug(call: Call, vm: Vm, name: str) -> None:
    """Devices changed: this HISTORY record ends and the next one begins."""
    last, who = vm.placed, actor(call)
    if last is None:
        return
    last.action = n.HISTORY_ACTIONS[name]
    last.uid, last.gid, last.request_id = who.uid, who.gid, who.request_id
    last.etime = last.retime = now()
    keep = {k: getattr(last, k) for k in ("hid", "hostname", "vm_mad", "ds_id", "tm_mad")}
    plan = {k: getattr(last, k) for k in ("plan_id", "action_id")}
    vm.history.append(History(**keep, **plan, stime=now(), rstime=now()))
    call.machine.enter(vm, n.ACTIVE, n.HOTPLUG_NIC)


@method("one.vm.disksaveas", "iissi", 3)
def disksaveas(call: Call) -> int:
    """A new image from a disk: asynchronous."""
    world, vm = call.world, own(call)
    disks = {disk.get("DISK_ID"): disk for disk in vm.template.vectors("DISK")}
    disk = disks.get(str(call.i(1)))
    if disk is None or "IMAGE_ID" not in disk:
        raise OneError(ACTION, f"Disk does not exist: {call.i(1)}")
    image = copy_of(world, world.images.get(int(disk["IMAGE_ID"])), call.s(2), call)
    begin_copy(world, image)
    return world.images.save(image).id


@method("one.vm.monitoring", "i")
def monitoring_of(call: Call) -> str:
    """What probes saw."""
    vm = call.world.vms.get(call.i(0))
    require(call.world, call.user, "USE", vm)
    records = "".join(vector_xml("MONITORING", record) for record in monitoring(vm))
    return f"<MONITORING_DATA>{records}</MONITORING_DATA>"


@method("one.vm.schedadd", "is")
def schedadd(call: Call) -> int:
    """A scheduled action; answers its id."""
    vm = own(call)
    added = planned_actions(call.world, vm, parsed(call.s(1), ACTION))
    if not added:
        raise OneError(ACTION, "No SCHED_ACTION in template")
    vm.actions += added
    call.world.vms.save(vm)
    return added[0].id


@method("one.vm.scheddelete", "ii")
def scheddelete(call: Call) -> int:
    """Remove a scheduled action."""
    vm = own(call)
    kept = [planned for planned in vm.actions if planned.id != call.i(1)]
    if len(kept) == len(vm.actions):
        raise missing("sched action", call.i(1))
    vm.actions = kept
    call.world.vms.save(vm)
    return call.i(1)


@method("one.vm.schedupdate", "iis")
def schedupdate(call: Call) -> int:
    """Change a scheduled action."""
    vm = own(call)
    old = next((planned for planned in vm.actions if planned.id == call.i(1)), None)
    if old is None:
        raise missing("sched action", call.i(1))
    wanted = cast(dict[str, str], parsed(call.s(2), ACTION).vector("SCHED_ACTION") or {})
    old.action = wanted.get("ACTION", old.action)
    old.args = wanted.get("ARGS", old.args)
    text = wanted.get("TIME", str(old.time))
    if not re.fullmatch(r"\+?\d+", text):
        raise OneError(ACTION, "Wrong TIME in SCHED_ACTION")
    old.time = int(text) + (vm.stime if text.startswith("+") else 0)
    call.world.vms.save(vm)
    return old.id


register_owned("vm", "vm")
