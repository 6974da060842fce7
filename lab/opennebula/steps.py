"""The table of states with a driver operation, and what follows each."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.opennebula import names as n
from lab.opennebula.model import History, Vm

if TYPE_CHECKING:
    from lab.opennebula.machine import Machine

Done = Callable[["Machine", Vm], None]
Failed = Callable[["Machine", Vm, str], None]


@dataclass(frozen=True)
class Step:
    """operation: what the driver does; done, failed: what then happens to the VM."""

    operation: str
    done: Done
    failed: Failed


def now() -> int:
    """The time as oned writes it."""
    return int(time.time())


def stamp() -> str:
    """The time as oned writes it into messages."""
    return time.ctime()


def drop_ports(vm: Vm) -> None:
    """A VM that has no host any more has no VNC port."""
    for screen in vm.template.vectors("GRAPHICS"):
        screen.pop("PORT", None)


def _record(vm: Vm) -> History:
    if vm.placed is None:
        raise ValueError(f"VM {vm.id} was never placed")
    return vm.placed


def _set_error(vm: Vm, text: str) -> None:
    vm.user_template.put("ERROR", f"{stamp()}: {text}")


def _transfer_failed(lcm: int) -> Failed:
    def failed(machine: Machine, vm: Vm, error: str) -> None:
        what = f"Error executing image transfer script: ERROR MESSAGE --8<------{error}"
        _set_error(vm, f"{what}... see more details in VM log")
        machine.enter(vm, n.ACTIVE, lcm)

    return failed


def _boot_failed(machine: Machine, vm: Vm, error: str) -> None:
    _record(vm).retime = now()
    driver = machine.driver(vm)
    reason = "" if error.endswith("told to fail") else f" ({error})"
    _set_error(vm, f"DEPLOY: {driver.deploy_id(machine.job(vm, 'boot'))}{reason}")
    machine.enter(vm, n.ACTIVE, n.BOOT_FAILURE)


def _prolog_done(lcm: int) -> Done:
    def done(machine: Machine, vm: Vm) -> None:
        _record(vm).petime = _record(vm).rstime = now()
        machine.enter(vm, n.ACTIVE, lcm)

    return done


def running(machine: Machine, vm: Vm, _error: str = "") -> None:
    """RUNNING; a shutdown that fails ends here too, silently: no ERROR is set."""
    record = _record(vm)
    record.action, record.uid, record.gid, record.request_id = 0, -1, -1, -1
    record.retime = 0
    vm.hard = False
    vm.deploy_id = machine.driver(vm).deploy_id(machine.job(vm, "boot"))
    machine.enter(vm, n.ACTIVE, n.RUNNING)


def _stopped_running(state: int, lcm: int = 0) -> Done:
    """The guest is down; with an LCM state the disks are moved next (epilog)."""

    def done(machine: Machine, vm: Vm) -> None:
        record = _record(vm)
        record.retime = record.retime or now()
        if lcm:
            record.estime = now()
        machine.enter(vm, state, lcm)

    return done


def _epilog_done(machine: Machine, vm: Vm) -> None:
    if vm.placed:
        vm.placed.eetime = now()
    machine.close(vm)


def _parked(state: int) -> Done:
    """STOPPED or UNDEPLOYED: this placement is over."""

    def done(machine: Machine, vm: Vm) -> None:
        record = _record(vm)
        record.eetime = record.etime = now()
        if state == n.UNDEPLOYED:
            drop_ports(vm)
        machine.enter(vm, state)

    return done


def _cut_record(vm: Vm) -> None:
    """A placement that is cut short: whatever began, ends now."""
    record = vm.placed
    if record is None or record.etime:
        return
    record.etime = now()
    if record.pstime and not record.petime:
        record.petime = now()
    if record.rstime and not record.retime:
        record.retime = now()


def _deleted(machine: Machine, vm: Vm) -> None:
    _cut_record(vm)
    machine.close(vm)


def resubmitted(machine: Machine, vm: Vm) -> None:
    """Back to PENDING with the same id, name and address."""
    _cut_record(vm)
    drop_ports(vm)
    vm.deploy_id = ""
    machine.enter(vm, n.PENDING)


def _ignored(then: Done) -> Failed:
    """Cleaning up goes on whatever the driver says."""
    return lambda machine, vm, _error: then(machine, vm)


STEPS: dict[int, Step] = {
    n.PROLOG: Step("prolog", _prolog_done(n.BOOT), _transfer_failed(n.PROLOG_FAILURE)),
    n.BOOT: Step("boot", running, _boot_failed),
    n.SHUTDOWN: Step("shutdown", _stopped_running(n.ACTIVE, n.EPILOG), running),
    n.EPILOG: Step("epilog", _epilog_done, _transfer_failed(n.EPILOG_FAILURE)),
    n.SHUTDOWN_POWEROFF: Step("shutdown", _stopped_running(n.POWEROFF), running),
    n.BOOT_POWEROFF: Step("restore", running, _boot_failed),
    n.SAVE_SUSPEND: Step("save", _stopped_running(n.SUSPENDED), running),
    n.BOOT_SUSPENDED: Step("restore", running, _boot_failed),
    n.SAVE_STOP: Step("save", _stopped_running(n.ACTIVE, n.EPILOG_STOP), running),
    n.EPILOG_STOP: Step("keep", _parked(n.STOPPED), _transfer_failed(n.EPILOG_STOP_FAILURE)),
    n.PROLOG_RESUME: Step(
        "keep", _prolog_done(n.BOOT_STOPPED), _transfer_failed(n.PROLOG_RESUME_FAILURE)
    ),
    n.BOOT_STOPPED: Step("restore", running, _boot_failed),
    n.SHUTDOWN_UNDEPLOY: Step("shutdown", _stopped_running(n.ACTIVE, n.EPILOG_UNDEPLOY), running),
    n.EPILOG_UNDEPLOY: Step(
        "keep", _parked(n.UNDEPLOYED), _transfer_failed(n.EPILOG_UNDEPLOY_FAILURE)
    ),
    n.PROLOG_UNDEPLOY: Step(
        "keep", _prolog_done(n.BOOT_UNDEPLOY), _transfer_failed(n.PROLOG_FAILURE)
    ),
    n.BOOT_UNDEPLOY: Step("restore", running, _boot_failed),
    n.CLEANUP_DELETE: Step("destroy", _deleted, _ignored(_deleted)),
    n.CLEANUP_RESUBMIT: Step("destroy", resubmitted, _ignored(resubmitted)),
    n.HOTPLUG: Step("context", running, running),
    n.HOTPLUG_NIC: Step("keep", running, running),
}

# what `recover` with "retry" and "success" does for each failure: the state it came from
FAILED_IN: dict[int, int] = {
    n.PROLOG_FAILURE: n.PROLOG,
    n.BOOT_FAILURE: n.BOOT,
    n.EPILOG_FAILURE: n.EPILOG,
    n.PROLOG_RESUME_FAILURE: n.PROLOG_RESUME,
    n.EPILOG_STOP_FAILURE: n.EPILOG_STOP,
    n.EPILOG_UNDEPLOY_FAILURE: n.EPILOG_UNDEPLOY,
}
