"""one.vm.action and one.vm.recover: what is legal in which state, and how it begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lab.opennebula import names as n
from lab.opennebula.errors import ACTION, OneError
from lab.opennebula.machine import Machine
from lab.opennebula.model import Vm
from lab.opennebula.steps import FAILED_IN, STEPS, now

State = tuple[int, int]
RUNNING, UNKNOWN = (n.ACTIVE, n.RUNNING), (n.ACTIVE, n.UNKNOWN)
SHUTTING_DOWN = (n.ACTIVE, n.SHUTDOWN)
_AWAY = ((n.POWEROFF, 0), (n.SUSPENDED, 0), (n.STOPPED, 0), (n.UNDEPLOYED, 0))
_FAILED = tuple((n.ACTIVE, lcm) for lcm in n.FAILURES)
ADMIN_ACTIONS = {"resched", "unresched"}


@dataclass(frozen=True)
class Actor:
    """Who did it: it is kept in the HISTORY record."""

    uid: int
    gid: int
    request_id: int


Verb = Callable[[Machine, Vm], None]


def _mark(vm: Vm, action: str, actor: Actor) -> None:
    record = vm.placed
    if record and not record.etime:
        record.action = n.HISTORY_ACTIONS[action]
        record.uid, record.gid, record.request_id = actor.uid, actor.gid, actor.request_id


def _to(state: int, lcm: int = 0, hard: bool = False) -> Verb:
    def verb(machine: Machine, vm: Vm) -> None:
        vm.hard, vm.resched = hard, 0
        machine.enter(vm, state, lcm)

    return verb


def _resume(machine: Machine, vm: Vm) -> None:
    ways = {n.POWEROFF: n.BOOT_POWEROFF, n.SUSPENDED: n.BOOT_SUSPENDED, n.ACTIVE: n.BOOT_POWEROFF}
    if vm.state in ways:
        _next_record(vm)
        machine.enter(vm, n.ACTIVE, ways[vm.state])
        return
    vm.resume_from = vm.state  # scheduled again, perhaps elsewhere: a new placement then
    machine.enter(vm, n.PENDING)


def _next_record(vm: Vm) -> None:
    """Poweroff and suspend resume on the same host, in a new HISTORY record."""
    last = vm.placed
    if last is None:
        return
    last.etime = now()
    fresh = replace(last, stime=now(), rstime=now(), etime=0, pstime=0, petime=0, retime=0)
    vm.history.append(replace(fresh, estime=0, eetime=0, action=0, uid=-1, gid=-1, request_id=-1))


def _resched(flag: int) -> Verb:
    def verb(machine: Machine, vm: Vm) -> None:
        vm.resched = flag
        machine.world.vms.save(vm)

    return verb


def _nothing(machine: Machine, vm: Vm) -> None:
    """Reboot: the state does not change at all."""
    machine.world.vms.save(vm)


@dataclass(frozen=True)
class Action:
    """states: where it is legal. verb: what it does there. marks: it closes the HISTORY record."""

    states: tuple[State, ...]
    verb: Verb
    marks: bool = True


_MOVES = (RUNNING, UNKNOWN)
ACTIONS: dict[str, Action] = {
    "hold": Action(((n.PENDING, 0),), _to(n.HOLD), marks=False),
    "release": Action(((n.HOLD, 0),), _to(n.PENDING), marks=False),
    "poweroff": Action(_MOVES, _to(n.ACTIVE, n.SHUTDOWN_POWEROFF)),
    "poweroff-hard": Action(
        (*_MOVES, (n.ACTIVE, n.SHUTDOWN_POWEROFF)),
        _to(n.ACTIVE, n.SHUTDOWN_POWEROFF, hard=True),
    ),
    "suspend": Action((RUNNING,), _to(n.ACTIVE, n.SAVE_SUSPEND)),
    "stop": Action((RUNNING, (n.SUSPENDED, 0)), _to(n.ACTIVE, n.SAVE_STOP)),
    "undeploy": Action((*_MOVES, (n.POWEROFF, 0)), _to(n.ACTIVE, n.SHUTDOWN_UNDEPLOY)),
    "undeploy-hard": Action(
        (*_MOVES, (n.POWEROFF, 0)), _to(n.ACTIVE, n.SHUTDOWN_UNDEPLOY, hard=True)
    ),
    "resume": Action((*_AWAY, UNKNOWN), _resume, marks=True),
    "reboot": Action((RUNNING,), _nothing, marks=False),
    "reboot-hard": Action((RUNNING,), _nothing, marks=False),
    "resched": Action((*_MOVES, (n.POWEROFF, 0)), _resched(1), marks=False),
    "unresched": Action((*_MOVES, (n.POWEROFF, 0)), _resched(0), marks=False),
}


def act(machine: Machine, vm: Vm, name: str, actor: Actor) -> None:
    """Begin an action: it is only accepted here. Raises OneError ACTION."""
    if name in ("terminate", "terminate-hard"):
        _terminate(machine, vm, name, actor)
        return
    action = ACTIONS.get(name)
    if action is None:
        raise OneError(ACTION, f'Action "{name}" is not supported')
    if (vm.state, vm.lcm if vm.state == n.ACTIVE else 0) not in action.states:
        raise _refused(name, f"This action is not available for state {_state(vm)}")
    if action.marks and name != "resume":
        _mark(vm, name, actor)
    action.verb(machine, vm)
    if name == "resume" and vm.state == n.ACTIVE:
        _mark(vm, name, actor)


def _state(vm: Vm) -> str:
    return n.vm_state_name(vm.state, vm.lcm)


def _refused(name: str, reason: str) -> OneError:
    return OneError(ACTION, f'Error performing action "{name}": {reason}')


def _terminate(machine: Machine, vm: Vm, name: str, actor: Actor) -> None:
    hard, state = name == "terminate-hard", (vm.state, vm.lcm)
    if vm.state == n.DONE:
        return
    if hard and vm.hard and state == SHUTTING_DOWN:
        return  # the plug is being pulled already
    if vm.state in (n.PENDING, n.HOLD) and vm.resume_from == 0 and not vm.history:
        machine.close(vm)
    elif state in _MOVES or (hard and state == SHUTTING_DOWN):
        _mark(vm, name, actor)
        _to(n.ACTIVE, n.SHUTDOWN, hard)(machine, vm)
    elif state in _AWAY or vm.state in (n.PENDING, n.HOLD):
        _mark(vm, name, actor)
        _begin_epilog(vm)
        machine.enter(vm, n.ACTIVE, n.EPILOG)
    elif state in _FAILED:
        delete(machine, vm, "delete", actor)
    else:
        raise _refused(name, f"Could not terminate VM {vm.id}, wrong state {_state(vm)}.")


def _begin_epilog(vm: Vm) -> None:
    if vm.placed and not vm.placed.estime:
        vm.placed.estime = now()


def delete(machine: Machine, vm: Vm, action: str, actor: Actor) -> None:
    """Delete at once, in any state; "delete-recreate" drops it back to PENDING."""
    if vm.state == n.DONE:
        return
    _mark(vm, action, actor)
    again = action == "delete-recreate"
    if not vm.history:
        machine.enter(vm, n.PENDING) if again else machine.close(vm)
        return
    machine.enter(vm, n.ACTIVE, n.CLEANUP_RESUBMIT if again else n.CLEANUP_DELETE)


_RECOVER = {0: "failure", 1: "success", 2: "retry", 3: "delete", 4: "delete-recreate"}


def recover(machine: Machine, vm: Vm, operation: int, actor: Actor) -> None:
    """0 failure, 1 success, 2 retry, 3 delete, 4 delete-recreate, 5 delete-db."""
    if operation == 5:
        machine.close(vm)
        machine.world.vms.remove(vm)
        return
    name = _RECOVER.get(operation)
    if name is None:
        raise OneError(ACTION, "Wrong recovery operation code")
    if operation >= 3:
        delete(machine, vm, name, actor)
        return
    origin = FAILED_IN.get(vm.lcm) if vm.state == n.ACTIVE else None
    under_way = vm.state == n.ACTIVE and vm.lcm in STEPS
    if (origin is None and not under_way) or (origin is not None and operation == 0):
        word = "retry" if operation == 2 else "recover"
        reason = f"Could not perform a {word} on VM {vm.id}, wrong state {_state(vm)}."
        raise OneError(ACTION, reason)
    _recover(machine, vm, operation, origin)


def _recover(machine: Machine, vm: Vm, operation: int, origin: int | None) -> None:
    if operation == 2:
        machine.enter(vm, n.ACTIVE, origin if origin is not None else vm.lcm)
        return
    if origin is not None:
        vm.lcm = origin
    machine.settle(vm, None if operation == 1 else "recovered as failed")
