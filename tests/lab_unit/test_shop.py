"""The example application, run as its package runs it."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.services.base import listens

SERVER = Path(__file__).resolve().parents[2] / "lab" / "release" / "app" / "server.rb"
Shop = Callable[..., "Client"]

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="the application needs Ruby")


class Client:
    """A browser: keeps its connection and its cookie."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        self.cookie = ""

    def get(self, path: str = "/") -> tuple[int, str]:
        self.line.request("GET", path, headers={"Cookie": self.cookie} if self.cookie else {})
        answer = self.line.getresponse()
        body = answer.read().decode().strip()
        given = answer.getheader("Set-Cookie")
        if given:
            self.cookie = given.split(";")[0]
        return answer.status, body


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """`shop(error_every=50)` starts the application with these settings."""
    started: list[tuple[subprocess.Popen[bytes], Client]] = []

    def start(**settings: object) -> Client:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        values = {"release": "1.0", "address": "127.0.0.1", "port": port} | settings
        conf = tmp_path / "shop.conf"
        conf.write_text("".join(f"{key} = {value}\n" for key, value in values.items()))
        process = subprocess.Popen(["ruby", str(SERVER), str(conf)])
        client = Client(port)
        started.append((process, client))
        deadline = time.monotonic() + 10
        while not listens("127.0.0.1", port):
            assert time.monotonic() < deadline, "the application does not listen"
            time.sleep(0.05)
        return client

    yield start
    for process, client in started:
        client.line.close()
        process.terminate()
        process.wait(5)


def test_a_session_follows_its_cookie(shop: Shop) -> None:
    """The first answer is to a new customer, the next ones to the same old one."""
    client = shop()
    host = socket.gethostname()

    assert client.get() == (200, f"{host} 1.0 1 new")
    assert client.get() == (200, f"{host} 1.0 2 old")
    client.cookie = ""
    assert client.get() == (200, f"{host} 1.0 1 new")


def test_a_cookie_of_another_member_is_a_lost_session(shop: Shop) -> None:
    """Which is how a client notices that its session did not survive."""
    client = shop()
    client.cookie = "SESSIONID=00000000deadbeef"

    assert client.get()[1].endswith("1 new")


def test_health_and_version_name_the_release(shop: Shop) -> None:
    """Neither makes a session."""
    client = shop(release="1.1")

    assert client.get("/health") == (200, "1.1")
    assert client.get("/version") == (200, "1.1")
    assert client.cookie == ""


def test_release_1_2_loses_its_health_soon_after_the_start(shop: Shop) -> None:
    """Healthy at first, 503 after the set time."""
    client = shop(fail_health_after=0.8)

    assert client.get("/health")[0] == 200
    time.sleep(0.9)
    assert client.get("/health")[0] == 503


def test_release_1_4_is_fine_with_few_customers(shop: Shop) -> None:
    """However many requests they make."""
    client = shop(error_every=5, crowd=3)

    assert {client.get()[0] for _ in range(50)} == {200}


def test_release_1_4_stumbles_with_many_customers(shop: Shop) -> None:
    """One request in so many, once more sessions are active than the set number."""
    client = shop(error_every=5, crowd=3)
    customers = [Client(client.port) for _ in range(4)]
    for customer in customers:
        customer.get()

    answers = Counter(customers[0].get()[0] for _ in range(50))

    assert answers == {200: 40, 500: 10}
    for customer in customers:
        customer.line.close()
