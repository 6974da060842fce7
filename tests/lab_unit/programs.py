"""The example programs, run as their packages run them."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.services.base import listens

PROGRAMS = Path(__file__).resolve().parents[2] / "lab" / "release" / "app"

needs_ruby = pytest.mark.skipif(shutil.which("ruby") is None, reason="the programs need Ruby")


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


Start = Callable[..., Client]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start("web", error_every=50)` starts a program with these settings; `site` is Puppet's."""
    started: list[tuple[subprocess.Popen[bytes], Client]] = []

    def begin(program: str, site: dict[str, object] | None = None, **settings: object) -> Client:
        port = free_port()
        values = {"release": "1.0", "address": "127.0.0.1", "port": port} | settings
        files = [tmp_path / f"{port}.conf", tmp_path / f"{port}.site.conf"]
        for path, lines in zip(files, (values, site or {}), strict=True):
            path.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
        process = subprocess.Popen(["ruby", PROGRAMS / f"{program}.rb", *files])
        client = Client(port)
        started.append((process, client))
        deadline = time.monotonic() + 10
        while not listens("127.0.0.1", port):
            assert time.monotonic() < deadline, "the program does not listen"
            time.sleep(0.05)
        return client

    yield begin
    for process, client in started:
        client.line.close()
        process.terminate()
        process.wait(5)
