"""What makes a VM run: nothing at all (`dummy`, timed) or the lab's namespaces (`namespace`).

A driver runs one operation and says how it ended. Operations: prolog, boot, shutdown, cancel,
epilog, save, restore, keep, destroy, context.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lab.opennebula.clock import Clock

if TYPE_CHECKING:
    from lab.vm import Machines

Finish = Callable[[str | None], None]  # None = done, else why it failed


@dataclass(frozen=True)
class Job:
    """One operation on one VM, with everything a driver may want to know."""

    operation: str
    vm_id: int
    name: str
    host: str
    image: str = ""
    ip: str = ""
    mac: str = ""
    memory_mb: int = 256
    vcpus: int = 1
    token: str = field(default="", repr=False)
    context: Mapping[str, str] = field(default_factory=dict, repr=False)


class Driver(Protocol):
    """Runs operations; `finish` is called exactly once per operation, from any thread."""

    def run(self, job: Job, finish: Finish) -> None:
        """Begin one operation."""

    def deploy_id(self, job: Job) -> str:
        """What the hypervisor calls the VM."""

    def alive(self, vm_id: int) -> bool:
        """Does the VM still run?"""

    def stop(self) -> None:
        """The server ends; VMs go on."""


class DummyDriver:
    """Does nothing for a while. seconds: per operation, `step` for those not named."""

    def __init__(self, clock: Clock, step: float, seconds: Mapping[str, float] | None = None):
        self.clock, self.step, self.seconds = clock, step, dict(seconds or {})

    def run(self, job: Job, finish: Finish) -> None:
        """Succeed later."""
        self.clock.after(self.seconds.get(job.operation, self.step), lambda: finish(None))

    def deploy_id(self, job: Job) -> str:
        """As the real dummy driver names them."""
        return f"{job.host}:{job.name}:dummy"

    def alive(self, vm_id: int) -> bool:
        """A dummy never dies."""
        del vm_id
        return True

    def stop(self) -> None:
        """Nothing to stop."""


class NamespaceDriver:
    """The lab's VMs: namespaces with systemd inside, made by lab.vm."""

    def __init__(self, root: Path, shutdown_timeout: float) -> None:
        self.root, self.timeout = root, shutdown_timeout
        self._machines: Machines | None = None
        self._threads = ThreadPoolExecutor(16, "namespace")
        self._ended = threading.Event()
        self._verbs: dict[str, Callable[[Job], None]] = {
            "prolog": self._destroy,  # what a killed server left half made
            "boot": self._boot,
            "shutdown": self._shutdown,
            "cancel": self._stop,
            "save": self._stop,
            "restore": self._restore,
            "epilog": self._destroy,
            "destroy": self._destroy,
            "context": self._context,
            "keep": self._keep,
        }

    @property
    def machines(self) -> Machines:
        """Made at first use: a lab with dummy hosts alone needs no lab.vm."""
        if self._machines is None:
            from lab.vm import Machines

            self._machines = Machines(root=self.root)
        return self._machines

    def run(self, job: Job, finish: Finish) -> None:
        """Run in a thread of the pool."""
        self._threads.submit(self._run, job, finish)

    def _run(self, job: Job, finish: Finish) -> None:
        """Whatever happens, the VM has to leave its state: `finish` is called."""
        failure: str | None = "the driver broke"
        try:
            self._verbs[job.operation](job)
            failure = None
        except (RuntimeError, OSError, ValueError) as error:  # MachineError is a RuntimeError
            failure = f"{type(error).__name__}: {error}"
        finally:
            finish(failure)

    def deploy_id(self, job: Job) -> str:
        """The machine's name: VM names are not unique, ids are."""
        return machine_name(job.vm_id)

    def alive(self, vm_id: int) -> bool:
        """Are its processes there?"""
        return self.machines.is_running(machine_name(vm_id))

    def stop(self) -> None:
        """Let go of waiting threads; the VMs stay."""
        self._ended.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _boot(self, job: Job) -> None:
        from lab.vm import MachineSpec

        name = machine_name(job.vm_id)
        if self.machines.is_running(name):
            return  # the server was killed between the boot and its commit
        self.machines.destroy(name)
        spec = MachineSpec(
            image=Path(job.image),
            ip=job.ip,
            mac=job.mac,
            context=job.context,
            token=job.token,
            memory_mb=job.memory_mb,
            vcpus=job.vcpus,
        )
        self.machines.create(name, spec)

    def _shutdown(self, job: Job) -> None:
        name = machine_name(job.vm_id)
        deadline = time.monotonic() + self.timeout
        if self.machines.is_running(name):
            self.machines.shutdown(name)
        while self.machines.is_running(name):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the guest did not shut down in {self.timeout:g} s")
            if self._ended.wait(0.2):
                raise TimeoutError("the server ends")

    def _stop(self, job: Job) -> None:
        if self.machines.exists(machine_name(job.vm_id)):
            self.machines.stop(machine_name(job.vm_id))

    def _restore(self, job: Job) -> None:
        self.machines.start(machine_name(job.vm_id), None)

    def _keep(self, _job: Job) -> None:
        """The disk stays where it is."""

    def _destroy(self, job: Job) -> None:
        self.machines.destroy(machine_name(job.vm_id))

    def _context(self, job: Job) -> None:
        self.machines.update_context(machine_name(job.vm_id), job.context, job.token)


def machine_name(vm_id: int) -> str:
    """The name lab.vm knows a VM by, and its DEPLOY_ID."""
    return f"one-{vm_id}"
