"""A front-end of its own for a test: in this process, on free loopback ports, in a hurry."""

from __future__ import annotations

import http.client
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.opennebula.server import Addresses, Server
from lab.opennebula.switches import Switches
from lab.opennebula.world import Settings

PASSWORD = "oneadmin-pw"
FAST = Settings(window=0.2, retry=1.0, step=0.2, speed=10.0, onegate="http://127.0.0.1:5030")
NETWORK = (
    'NAME="net" VN_MAD="dummy" BRIDGE="br0" NETWORK_MASK="255.255.255.0" DNS="192.168.0.1" '
    'AR=[TYPE="IP4",IP="192.168.0.7",SIZE="20"]'
)
TEMPLATE = (
    'NAME="app" CPU="0.1" MEMORY="64" LABELS="web" RELEASE="1.0" '
    'DISK=[IMAGE="base",IMAGE_UNAME="oneadmin"] NIC=[NETWORK="net",NETWORK_UNAME="oneadmin"] '
    'CONTEXT=[NETWORK="YES",TOKEN="YES",SET_HOSTNAME="$NAME",RELEASE="$RELEASE"]'
)


@dataclass
class Front:
    """A running front-end and ways to talk to it."""

    server: Server
    switches: Switches
    session: str = f"oneadmin:{PASSWORD}"

    @property
    def port(self) -> int:
        """The XML-RPC port."""
        return self.server.rpc.listener.port

    def post(self, body: bytes) -> bytes:
        """One POST to /RPC2."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
            return connection.getresponse().read()
        finally:
            connection.close()

    def ask(self, method: str, *params: Any) -> list[Any]:
        """The whole array of an answer."""
        body = xmlrpc.client.dumps((self.session, *params), method)
        answers: Any = xmlrpc.client.loads(self.post(body.encode()))[0]
        return list(answers[0])

    def do(self, method: str, *params: Any) -> Any:
        """The value of a call that has to succeed."""
        answer = self.ask(method, *params)
        assert answer[0] is True, answer
        return answer[1]

    def refused(self, method: str, *params: Any) -> tuple[int, str]:
        """Code and message of a call that has to fail."""
        answer = self.ask(method, *params)
        assert answer[0] is False, answer
        return answer[2], answer[1]

    def state(self, vm: int) -> tuple[int, int]:
        """STATE and LCM_STATE."""
        found = self.server.world.vms.things[vm]
        return found.state, found.lcm

    def until(self, vm: int, state: int, lcm: int = 0) -> None:
        """Wait for a state."""
        wait_until(lambda: self.state(vm) == (state, lcm))

    def vm(self, name: str = "vm-0", *, hold: bool = False, extra: str = "") -> int:
        """A new VM of the template `app`."""
        return int(self.do("one.template.instantiate", 0, name, hold, extra, False))

    def running(self, name: str = "vm-0") -> int:
        """A VM that runs."""
        number = self.vm(name, hold=True)
        self.do("one.vm.deploy", number, 0, False, -1)
        self.until(number, 3, 3)
        return number


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Poll until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def start(folder: Path, settings: Settings = FAST) -> Front:
    """A front-end with the state in `folder`."""
    anywhere = ("127.0.0.1", 0)
    addresses = Addresses(anywhere, anywhere, "tcp://127.0.0.1:*", folder / "admin")
    server = Server(folder / "state", PASSWORD, addresses, settings)
    server.start()
    return Front(server, Switches(folder / "admin"))


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Front]:
    """A front-end as oned is after its first start."""
    front = start(tmp_path)
    yield front
    front.server.stop()


@pytest.fixture
def front(empty: Front) -> Front:
    """With three hosts, an image, a network of 20 addresses and the template `app`."""
    for name in ("host-0", "host-1", "host-2"):
        empty.do("one.host.allocate", name, "dummy", "dummy", 0)
    empty.do("one.image.allocate", 'NAME="base" PATH="/image" DEV_PREFIX="vd"', 1)
    empty.do("one.vn.allocate", NETWORK, -1)
    empty.do("one.template.allocate", TEMPLATE)
    world = empty.server.world
    wait_until(lambda: all(host.state == 2 for host in world.hosts))
    wait_until(lambda: world.images.get(0).state == 1 and world.vnets.get(0).state == 1)
    return empty
