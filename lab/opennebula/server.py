"""The whole front-end, put together: start, stop."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from lab.opennebula import api, defaults
from lab.opennebula.admin import Admin
from lab.opennebula.api import hosts, images, vnets
from lab.opennebula.drivers import Driver
from lab.opennebula.events import Bus
from lab.opennebula.machine import Machine
from lab.opennebula.onegate import OneGate
from lab.opennebula.registry import Dispatcher
from lab.opennebula.schedactions import Planned
from lab.opennebula.scheduler import Scheduler
from lab.opennebula.wire import XmlRpcServer
from lab.opennebula.world import Settings, World

__all__ = ["Addresses", "Server", "api"]


@dataclass(frozen=True)
class Addresses:
    """Where it listens; port 0 = any. events: a ZeroMQ address."""

    rpc: tuple[str, int]
    onegate: tuple[str, int]
    events: str
    admin: Path


class Server:
    """Everything of one front-end."""

    def __init__(
        self,
        state: Path,
        password: str,
        addresses: Addresses,
        settings: Settings | None = None,
        drivers: dict[str, Driver] | None = None,
    ) -> None:
        self.world = World(state, settings)
        defaults.make(self.world, password)
        self.machine = Machine(self.world, drivers)
        self.scheduler = Scheduler(self.world, self.machine)
        self.planned = Planned(self.world, self.machine)
        self.bus = Bus(addresses.events)
        self.world.publish = self.bus.publish
        call = Dispatcher(self.world, self.machine)
        self.rpc = XmlRpcServer(addresses.rpc, call, self.world.board)
        self.onegate = OneGate(addresses.onegate, self.world)
        self.admin = Admin(addresses.admin, self.world, self._refuse)

    def _refuse(self, refuse: bool) -> None:
        if refuse:
            self.rpc.listener.close()
        else:
            self.rpc.listener.open()

    def start(self) -> None:
        """Take up what was under way, then serve. Returns at once."""
        self.bus.start()
        self.world.clock.start()
        with self.world.change():
            hosts.take_up(self.world)
            images.take_up(self.world)
            vnets.take_up(self.world)
        self.machine.start()
        self.scheduler.start()
        self.planned.start()
        for part in (self.rpc, self.onegate, self.admin):
            part.listener.start()

    def stop(self) -> None:
        """Stop serving; state is on disk after every change anyway."""
        self.world.board.clear()  # calls that hang let go
        for part in (self.rpc, self.onegate, self.admin):
            part.listener.stop()
        self.world.clock.stop()
        self.machine.stop()
        self.bus.stop()
        with self.world.lock:
            self.world.store.close()

    def run(self, ended: threading.Event) -> None:
        """Serve until `ended`."""
        self.start()
        ended.wait()
        self.stop()
