"""The life of a VM: which driver operation belongs to which state, and what follows it."""

from __future__ import annotations

import logging

from lab.opennebula import names as n
from lab.opennebula.drivers import Driver, DummyDriver, Job, NamespaceDriver
from lab.opennebula.events import state_event
from lab.opennebula.model import Datastore, History, Host, Image, Vm
from lab.opennebula.release import release
from lab.opennebula.render import VmCache, vm_long
from lab.opennebula.steps import STEPS, drop_ports, now
from lab.opennebula.switchboard import Switch
from lab.opennebula.world import World

log = logging.getLogger(__name__)
WATCH = 5.0  # seconds between two looks for VMs that died by themselves


class Machine:
    """Moves VMs from state to state."""

    def __init__(self, world: World, drivers: dict[str, Driver] | None = None) -> None:
        self.world = world
        settings = world.settings
        self.drivers: dict[str, Driver] = drivers or {
            "dummy": DummyDriver(world.clock, settings.step / settings.speed),
            "namespace": NamespaceDriver(settings.vms, settings.shutdown_timeout),
        }
        self.cache = VmCache(world)
        self._stopped = False
        self._serial: dict[int, int] = {}

    def start(self) -> None:
        """After a start of the server: take up what was under way, then watch."""
        with self.world.change():
            for vm in self.world.vms:
                if vm.state == n.ACTIVE and vm.lcm in STEPS:
                    self._begin(vm)
                elif vm.state == n.ACTIVE and vm.lcm == n.LCM_INIT:
                    self.enter(vm, n.ACTIVE, n.PROLOG)
        self.world.after(WATCH, self._watch)

    def stop(self) -> None:
        """The server ends; what is under way is forgotten, not failed."""
        with self.world.lock:
            self._stopped = True
        for driver in self.drivers.values():
            driver.stop()

    def enter(self, vm: Vm, state: int, lcm: int = 0) -> None:
        """Go to a state, tell it, and begin what belongs to it."""
        before = (vm.state, vm.lcm)
        vm.state, vm.lcm = state, lcm
        self._serial[vm.id] = self._serial.get(vm.id, 0) + 1  # what ran before is void
        self.world.vms.save(vm)
        log.info("VM %d %s: %s", vm.id, vm.name, n.vm_state_name(state, lcm))
        self.tell(vm, before)
        if state == n.ACTIVE and lcm in STEPS:
            self._begin(vm)

    def tell(self, vm: Vm, before: tuple[int, int]) -> None:
        """Publish the state the VM is in."""
        state_event(self.world, vm, vm_long(self.world, vm, before=before))

    def _begin(self, vm: Vm) -> None:
        operation = STEPS[vm.lcm].operation
        if operation == "shutdown" and vm.hard:
            operation = "cancel"
        serial = self._serial.setdefault(vm.id, 0)
        slow = self._strikes(vm, operation, "slow")
        fault = self._strikes(vm, operation, "fail", "hang")
        if fault and fault.kind == "hang":
            return
        job = self.job(vm, operation)
        delay = slow.seconds if slow else 0.0
        self.world.clock.after(delay, lambda: self._run(job, serial, fault is not None))

    def _strikes(self, vm: Vm, operation: str, *kinds: str) -> Switch | None:
        """The switch of an operation; one for `boot` is for booting from a kept disk too."""
        known = (operation, "boot") if operation == "restore" else (operation,)
        found = (self.world.board.take(name, vm.name, *kinds) for name in known)
        return next((switch for switch in found if switch), None)

    def _run(self, job: Job, serial: int, fails: bool) -> None:
        def finish(error: str | None) -> None:
            with self.world.change():
                if not self._stopped:  # else the next start takes it up again
                    self._finish(job, serial, error)

        if fails:
            finish(f"{job.operation} told to fail")
            return
        vm = self.world.vms.things.get(job.vm_id)
        driver = self.driver(vm) if vm else None
        if driver:
            driver.run(job, finish)

    def _finish(self, job: Job, serial: int, error: str | None) -> None:
        vm = self.world.vms.things.get(job.vm_id)
        if vm is None or self._serial.get(vm.id) != serial or vm.lcm not in STEPS:
            return  # somebody moved the VM on meanwhile
        self.settle(vm, error)

    def settle(self, vm: Vm, error: str | None) -> None:
        """End the operation under way: by the driver, or by `recover`."""
        step = STEPS[vm.lcm]
        if error is None:
            step.done(self, vm)
            return
        log.warning("VM %d %s: %s failed: %s", vm.id, vm.name, step.operation, error)
        step.failed(self, vm, error)

    def driver(self, vm: Vm) -> Driver:
        """The driver of the VM's host; a VM that was never placed has nothing to drive."""
        name = vm.placed.vm_mad if vm.placed else "dummy"
        return self.drivers.get(name, self.drivers["dummy"])

    def job(self, vm: Vm, operation: str) -> Job:
        """What the driver needs to know."""
        template = vm.template
        disk, nic = template.vector("DISK") or {}, template.vector("NIC") or {}
        image = self.world.images.things.get(int(disk.get("IMAGE_ID", "-1")))
        return Job(
            operation=operation,
            vm_id=vm.id,
            name=vm.name,
            host=vm.placed.hostname if vm.placed else "",
            image=_image_path(image),
            ip=nic.get("IP", ""),
            mac=nic.get("MAC", ""),
            memory_mb=int(template.text("MEMORY", "256")),
            vcpus=int(template.text("VCPU") or "1"),
            token=vm.token,
            context=dict(template.vector("CONTEXT") or {}),
        )

    def deploy(self, vm: Vm, host: Host, datastore: Datastore, planned: bool) -> None:
        """Place the VM on a host. planned: by the scheduler."""
        record = History(
            hid=host.id,
            hostname=host.name,
            vm_mad=host.vm_mad,
            ds_id=datastore.id,
            tm_mad=datastore.template.text("TM_MAD"),
            stime=0,
            plan_id=-1 if planned else -2,
            action_id=0 if planned else -1,
        )
        vm.history.append(record)
        vm.user_template.discard("SCHED_MESSAGE")
        vm.template.put("TM_MAD_SYSTEM", record.tm_mad)
        for screen in vm.template.vectors("GRAPHICS"):
            screen["PORT"] = str(5900 + vm.id)
        resume, vm.resume_from = vm.resume_from, 0
        self.enter(vm, n.ACTIVE, n.LCM_INIT)
        record.stime = record.pstime = now()
        ways = {n.STOPPED: n.PROLOG_RESUME, n.UNDEPLOYED: n.PROLOG_UNDEPLOY}
        self.enter(vm, n.ACTIVE, ways.get(resume, n.PROLOG))

    def close(self, vm: Vm) -> None:
        """DONE: for ever, and everything it held is free."""
        vm.etime = now()
        if vm.placed and not vm.placed.etime:
            vm.placed.etime = now()
        drop_ports(vm)
        release(self.world, vm)
        self.enter(vm, n.DONE)

    def _watch(self) -> None:
        """A VM whose processes are gone is in POWEROFF, as a probe would find it."""
        for vm in list(self.world.vms):
            runs = (vm.state, vm.lcm) == (n.ACTIVE, n.RUNNING)
            if runs and vm.placed and not self.driver(vm).alive(vm.id):
                vm.placed.retime = now()
                self.enter(vm, n.POWEROFF)
        self.world.after(WATCH, self._watch)


def _image_path(image: Image | None) -> str:
    return image.path if image else ""
