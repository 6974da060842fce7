"""All the systems that a rollout talks to, put together.

The front-end is the lab's own; the rest are stand-ins that answer what the product asks and count
it. `connections.json` in the folder says how to reach them.
"""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from typing import Any, Protocol

from lab.bench.authority import Authority, server_tls
from lab.bench.calls import Calls
from lab.bench.furnish import furnish
from lab.bench.guests import GuestDriver, Guests, Waits
from lab.bench.haproxy import Haproxy
from lab.bench.icinga import Icinga
from lab.bench.names import KEY_NAME, NameServer
from lab.bench.puppet_ca import PuppetCa
from lab.bench.puppetdb import PuppetDb
from lab.bench.site import HERE, ZONES, names
from lab.bench.web import Respond, Web
from lab.opennebula.clock import Clock
from lab.opennebula.server import Addresses, Server
from lab.opennebula.world import Settings
from lab.services.base import write

_READS = ("info", "infoextended", "version", "config", "monitoring", "infoset")


class Part(Protocol):
    """What can be started and stopped."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


class Cloud:
    """One private cloud made of stand-ins."""

    def __init__(self, folder: Path, waits: Waits, vms: int, services: int) -> None:
        self.folder, self.vms = folder, vms
        self.calls = Calls()
        self.password = secrets.token_hex(12)
        self.dns_secret = base64.b64encode(secrets.token_bytes(32)).decode()
        authority = Authority()
        clock = Clock()  # the guests' own
        guests = Guests(clock, waits, authority)
        self.clock = clock
        self.ca = guests.ca = PuppetCa(self.calls, authority, guests.signed)
        self.database = guests.database = PuppetDb(self.calls)
        self.tls = server_tls(authority.issue("server", HERE, folder))
        authority.issue("client", HERE, folder)
        (folder / "ca.pem").write_bytes(authority.pem)
        self.webs = {
            "puppet_ca": self._web("puppet_ca", self.ca.respond),
            "puppetdb": self._web("puppetdb", self.database.respond),
            "monitoring": self._web("monitoring", Icinga(self.calls, waits.check).respond),
        }
        self.names = NameServer(self.calls, ZONES, self.dns_secret, HERE)
        path = folder / "haproxy.sock"
        self.balancer = Haproxy(self.calls, path, names(services), waits)
        driver = GuestDriver(clock, waits)
        driver.booted = guests.booted
        addresses = Addresses((HERE, 0), (HERE, 0), "tcp://127.0.0.1:*", folder / "one.sock")
        settings = Settings(window=10.0 * waits.shutdown / Waits().shutdown)
        drivers = {"dummy": driver}
        self.one = Server(folder / "one", self.password, addresses, settings, dict(drivers))

    def _web(self, system: str, respond: Respond) -> Web:
        return Web(system, self.calls, respond, self.tls, HERE)

    def start(self) -> None:
        """Serve, fill the cloud, and count from there on."""
        for part in self._parts():
            part.start()
        furnish(self.url, f"oneadmin:{self.password}", self.vms)
        text = json.dumps(self.connections(), indent=2)
        write(self.folder / "connections.json", text, 0o600)
        self.reset()

    def stop(self) -> None:
        """Serve no more."""
        for part in self._parts():
            part.stop()

    def _parts(self) -> tuple[Part, ...]:
        return (self.clock, self.one, *self.webs.values(), self.names, self.balancer)

    @property
    def url(self) -> str:
        """Where OpenNebula's API is."""
        return f"http://{HERE}:{self.one.rpc.listener.port}/RPC2"

    def connections(self) -> dict[str, dict[str, Any]]:
        """How the product reaches it all, in the form of Airflow Connections."""
        ca_file = str(self.folder / "ca.pem")
        files = {
            "ca_file": ca_file,
            "cert_file": str(self.folder / "client.pem"),
            "key_file": str(self.folder / "client.key"),
        }
        key = {"password": secrets.token_hex(24)}
        there = {name: {"host": HERE, "port": web.port} for name, web in self.webs.items()}
        one = {"host": self.url, "login": "oneadmin", "password": self.password}
        dns = {"host": HERE, "port": self.names.port, "login": KEY_NAME}
        dns |= {"password": self.dns_secret, "extra": {"zones": list(ZONES)}}
        ca, database, icinga = (there[n] for n in ("puppet_ca", "puppetdb", "monitoring"))
        login = {"login": "bench", "password": "bench", "extra": {"ca_file": ca_file}}
        socket = {"extra": {"socket": str(self.balancer.path)}}
        return {
            "snowmelt_opennebula": {"conn_type": "opennebula", **one},
            "snowmelt_puppet_ca": {"conn_type": "puppet_ca", **ca, **key, "extra": files},
            "snowmelt_puppetdb": {"conn_type": "puppetdb", **database, "extra": files},
            "snowmelt_nameserver": {"conn_type": "nameserver", **dns},
            "snowmelt_balancer": {"conn_type": "haproxy", **socket},
            "snowmelt_monitoring": {"conn_type": "icinga2", **icinga, **login},
        }

    def report(self) -> dict[str, Any]:
        """System -> calls, how many of them change something, peak of connections."""
        board = self.one.world.board.counters()
        calls: Any = board["calls"]
        changing = sum(n for name, n in calls.items() if name.rpartition(".")[2] not in _READS)
        one = {"calls": calls, "mutating": changing, "peak_connections": board["peak_connections"]}
        return {"opennebula": one, **self.calls.report()}

    def reset(self) -> None:
        """Count from zero."""
        self.calls.reset()
        self.one.world.board.reset()
