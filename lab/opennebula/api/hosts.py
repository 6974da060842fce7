"""Hosts: their drivers choose what VMs on them are made of."""

import time
from typing import cast

from lab.opennebula.api.common import managed, register_info, register_pool, register_update
from lab.opennebula.attrs import Attrs, cdata, ids, plain
from lab.opennebula.capacity import usage
from lab.opennebula.errors import ACTION, ALLOCATE, OneError, missing
from lab.opennebula.model import Host, Thing
from lab.opennebula.names import HOST_DISABLED, HOST_MONITORED, HOST_OFFLINE
from lab.opennebula.registry import Call, method
from lab.opennebula.rights import Request, require
from lab.opennebula.world import World

MONITORED_AFTER = 1.0
CPU, MEMORY = 800, 16777216  # percent of a core, KiB: what the dummy probe says


def _share(call: Call, host: Host) -> str:
    used, there = usage(call.world, host), host.state != 0
    disk = {"DISK_USAGE": 0, "FREE_DISK": 20480, "MAX_DISK": 20480, "USED_DISK": 9720}
    sizes = "".join(cdata(name, size if there else 0) for name, size in disk.items())
    return (
        "<HOST_SHARE>"
        + plain("MEM_USAGE", used.mem)
        + plain("CPU_USAGE", used.cpu)
        + plain("TOTAL_MEM", host.total_mem)
        + plain("TOTAL_CPU", host.total_cpu)
        + plain("MAX_MEM", host.total_mem)
        + plain("MAX_CPU", host.total_cpu)
        + plain("RUNNING_VMS", used.vms)
        + plain("VMS_THREAD", 1)
        + f"<DATASTORES>{sizes}</DATASTORES>"
        + "<PCI_DEVICES></PCI_DEVICES><NUMA_NODES></NUMA_NODES></HOST_SHARE>"
    )


def _probe(call: Call, host: Host) -> str:
    used = usage(call.world, host)
    capacity = Attrs([
        ("FREE_CPU", str(host.total_cpu - used.cpu)), ("USED_CPU", str(used.cpu)),
        ("FREE_MEMORY", str(host.total_mem - used.mem)), ("USED_MEMORY", str(used.mem)),
    ])  # fmt: skip
    system = Attrs([("NETRX", "0"), ("NETTX", "0")])
    head = plain("TIMESTAMP", int(time.time())) + plain("ID", host.id)
    return f"<MONITORING>{head}{capacity.xml('CAPACITY')}{system.xml('SYSTEM')}</MONITORING>"


def host_xml(call: Call, thing: Thing) -> str:
    """The HOST element."""
    host = cast(Host, thing)
    return (
        "<HOST>"
        + plain("ID", host.id)
        + plain("NAME", host.name)
        + plain("STATE", host.state)
        + plain("PREV_STATE", host.state)
        + cdata("IM_MAD", host.im_mad)
        + cdata("VM_MAD", host.vm_mad)
        + plain("CLUSTER_ID", 0)
        + plain("CLUSTER", "default")
        + _share(call, host)
        + ids("VMS", usage(call.world, host).ids)
        + host.template.xml()
        + (_probe(call, host) if host.state else "<MONITORING/>")
        + "</HOST>"
    )


@method("one.host.allocate", "sssi", 3)
def allocate(call: Call) -> int:
    """A new host: name, IM_MAD, VM_MAD, cluster (-1 = default). It is monitored a second later."""
    world = call.world
    request = Request(world, call.user).need_create("HOST")
    request.need_cluster_admin(max(call.i(3), 0)).decide()
    if call.i(3) not in (-1, 0):
        raise missing("cluster", call.i(3))
    same = world.hosts.find(call.s(0))
    if same:
        taken = f"NAME is already taken by HOST {same.id}."
        raise OneError(ALLOCATE, f"Error allocating a new host. {taken}")
    host = Host(id=world.hosts.next_id(), name=call.s(0), im_mad=call.s(1), vm_mad=call.s(2))
    host.template = Attrs([
        ("IM_MAD", call.s(1)), ("RESERVED_CPU", ""), ("RESERVED_MEM", ""), ("VM_MAD", call.s(2)),
    ])  # fmt: skip
    world.after(MONITORED_AFTER, lambda: _monitored(world, host))
    return world.hosts.save(host).id


def take_up(world: World) -> None:
    """After a start: hosts that were never monitored are now."""
    for host in world.hosts:
        if host.state == 0:
            _monitored(world, host)


def _monitored(world: World, host: Host) -> None:
    if host.id not in world.hosts.things:
        return
    host.state = HOST_MONITORED if host.state == 0 else host.state
    host.total_cpu = int(host.template.text("TOTAL_CPU") or CPU)
    host.total_mem = int(host.template.text("TOTAL_MEM") or MEMORY)
    probed = {
        "ARCH": "x86_64", "HOSTNAME": host.name, "HYPERVISOR": host.vm_mad,
        "TOTALCPU": str(host.total_cpu), "TOTALMEMORY": str(host.total_mem),
    }  # fmt: skip
    for name, value in probed.items():
        host.template.put(name, value)
    world.hosts.save(host)


def _resized(call: Call, thing: Thing, _body: Attrs) -> None:
    host = cast(Host, thing)
    if host.state:
        _monitored(call.world, host)


@method("one.host.status", "ii")
def status(call: Call) -> int:
    """0 enable, 1 disable, 2 offline."""
    host = call.world.hosts.get(call.i(0))
    require(call.world, call.user, "ADMIN", host)
    states = {0: HOST_MONITORED, 1: HOST_DISABLED, 2: HOST_OFFLINE}
    if call.i(1) not in states:
        raise OneError(ACTION, "Wrong status code")
    host.state = states[call.i(1)]
    return call.world.hosts.save(host).id


@method("one.host.delete", "i")
def delete(call: Call) -> int:
    """Delete a host without VMs."""
    host = cast(Host, managed(call, "host", "ADMIN"))
    if usage(call.world, host).ids:
        raise OneError(ACTION, "Cannot delete host. Can not remove a host with running VMs")
    call.world.hosts.remove(host)
    return host.id


@method("one.host.monitoring", "i")
def monitoring(call: Call) -> str:
    """What probes saw last."""
    host = call.world.hosts.get(call.i(0))
    require(call.world, call.user, "USE", host)
    return f"<MONITORING_DATA>{_probe(call, host) if host.state else ''}</MONITORING_DATA>"


register_info("host", "host", host_xml)
register_pool("host", "host", "HOST_POOL", host_xml)
register_update("host", "host", _resized)
