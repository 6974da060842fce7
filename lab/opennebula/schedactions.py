"""Scheduled actions: oned itself does what SCHED_ACTION says, as the VM's owner."""

import logging
import secrets

from lab.opennebula.actions import Actor, act
from lab.opennebula.errors import OneError
from lab.opennebula.machine import Machine
from lab.opennebula.model import SchedAction, Vm
from lab.opennebula.names import DONE
from lab.opennebula.steps import now
from lab.opennebula.world import World

log = logging.getLogger(__name__)
EVERY = 1.0  # seconds between two looks


class Planned:
    """Looks for actions that are due."""

    def __init__(self, world: World, machine: Machine) -> None:
        self.world, self.machine = world, machine

    def start(self) -> None:
        """Begin."""
        self.world.after(EVERY, self._tick)

    def _tick(self) -> None:
        for vm in list(self.world.vms):
            if vm.state != DONE:
                for planned in vm.actions:
                    if planned.done < 0 and planned.time <= now():
                        self._run(vm, planned)
        self.world.after(EVERY, self._tick)

    def _run(self, vm: Vm, planned: SchedAction) -> None:
        actor = Actor(vm.uid, vm.gid, secrets.randbelow(10000))
        try:
            act(self.machine, vm, planned.action, actor)
        except OneError as error:
            log.info("VM %d: planned %s waits: %s", vm.id, planned.action, error.text)
            return  # not legal in this state: it is tried again
        planned.done = now()
        self.world.vms.save(vm)
