"""The scheduler: a window of 10 s or 7 VMs, one VM per host and round, reasons in SCHED_MESSAGE."""

from __future__ import annotations

import time

from lab.opennebula import names as n
from lab.opennebula.attrs import Value
from lab.opennebula.capacity import lacking, usage
from lab.opennebula.machine import Machine
from lab.opennebula.model import Datastore, Host, Vm
from lab.opennebula.requirements import meets
from lab.opennebula.steps import stamp
from lab.opennebula.world import World

TICK = 0.2  # seconds between two looks; also the pause between rounds that made progress


class Scheduler:
    """Places PENDING VMs. All times are monotonic seconds, divided by the speed."""

    def __init__(self, world: World, machine: Machine) -> None:
        self.world, self.machine = world, machine
        self._due: dict[int, float] = {}  # VM id -> when it is looked at
        self._fresh: dict[int, float] = {}  # waiting for the window: VM id -> since when

    def start(self) -> None:
        """Begin."""
        self.world.after(TICK, self._tick)

    def _tick(self) -> None:
        self.round(time.monotonic())
        self.world.after(TICK, self._tick)

    def round(self, at: float) -> None:
        """Look once: collect new VMs, and place those whose time has come."""
        pending = {vm.id: vm for vm in self.world.vms if vm.state == n.PENDING}
        self._forget(pending)
        for oid in pending:
            if oid not in self._due and oid not in self._fresh:
                self._fresh[oid] = at
        if self._window_is_over(at):
            self._due.update(dict.fromkeys(self._fresh, at))
            self._fresh.clear()
        due = [pending[oid] for oid in sorted(self._due) if self._due[oid] <= at]
        if due:
            self._place(due, at)

    def _forget(self, pending: dict[int, Vm]) -> None:
        for waiting in (self._due, self._fresh):
            for oid in [oid for oid in waiting if oid not in pending]:
                del waiting[oid]

    def _window_is_over(self, at: float) -> bool:
        settings = self.world.settings
        if len(self._fresh) >= settings.window_length:
            return True
        window = settings.window / settings.speed
        return bool(self._fresh) and at - min(self._fresh.values()) >= window

    def _place(self, due: list[Vm], at: float) -> None:
        hosts = [h for h in self.world.hosts if h.state == n.HOST_MONITORED]
        used: set[int] = set()
        for vm in due:
            if self.world.board.take("schedule", vm.name, "pending"):
                self._wait(vm, at, "")
                continue
            if hosts and len(used) == len(hosts):
                continue  # every host has its VM of this round; the next round is soon
            host, reason = self._choose(vm, hosts, used)
            if host is None:
                self._wait(vm, at, reason)
                continue
            used.add(host.id)
            self._due.pop(vm.id, None)
            self.machine.deploy(vm, host, self._datastore(), planned=True)

    def _wait(self, vm: Vm, at: float, reason: str) -> None:
        busy = reason.startswith("[HOST] Dispatch limit")
        settings = self.world.settings
        self._due[vm.id] = at if busy else at + settings.retry / settings.speed
        if reason and not busy:
            vm.user_template.put("SCHED_MESSAGE", f"{stamp()}: {reason}")
            self.world.vms.save(vm)

    def _choose(self, vm: Vm, hosts: list[Host], used: set[int]) -> tuple[Host | None, str]:
        """The host, or why there is none."""
        if not hosts:
            return None, "Cannot dispatch VM: No hosts enabled to run VMs"
        wish = vm.user_template.text("SCHED_REQUIREMENTS")
        fitting = [host for host in hosts if meets(wish, attributes(host))]
        if not fitting:
            return None, "Cannot dispatch VM: No host meets SCHED_REQUIREMENTS"
        lacks = {host.id: lacking(self.world, vm, host) for host in fitting}
        roomy = [host for host in fitting if not lacks[host.id]]
        if not roomy:
            what = "CPU" if any(lack.startswith("CPU") for lack in lacks.values()) else "memory"
            return None, f"[HOST] Not enough {what} on hosts: {_numbers(fitting)}"
        free = [host for host in roomy if host.id not in used]
        if not free:
            return None, f"[HOST] Dispatch limit reached on hosts: {_numbers(roomy)}"
        return min(free, key=lambda h: (usage(self.world, h).vms, -h.id)), ""

    def _datastore(self) -> Datastore:
        return system_datastores(self.world)[-1]


def system_datastores(world: World) -> list[Datastore]:
    """Where VMs' disks go, lowest id first."""
    return sorted((d for d in world.datastores if d.type == 1), key=lambda d: d.id)


def attributes(host: Host) -> dict[str, str]:
    """What SCHED_REQUIREMENTS may ask about a host."""
    texts: list[tuple[str, Value]] = [i for i in host.template.items if isinstance(i[1], str)]
    return {
        **{name: str(value) for name, value in texts},
        "ID": str(host.id),
        "NAME": host.name,
        "HOSTNAME": host.name,
        "HYPERVISOR": host.vm_mad,
        "CLUSTER_ID": "0",
        "CLUSTER": "default",
    }


def _numbers(hosts: list[Host]) -> str:
    return ",".join(str(host.id) for host in sorted(hosts, key=lambda h: h.id))
