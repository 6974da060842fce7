"""Starts the lab's front-end for one test run: free loopback ports, dummy drivers, empty state."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.contract import wire
from tests.contract.site import Site, discover

ROOT = Path(__file__).resolve().parents[2]
HOSTS = ("dummy01", "dummy02", "dummy03")  # as recorded: 8 CPUs and 16 GiB each
START = 20.0  # seconds in which the front-end has to answer


@contextmanager
def private_frontend(folder: Path, onegate: bool = True) -> Iterator[Site]:
    """A running front-end, set up like the oned that was recorded, and stopped at the end."""
    ports = _free_ports(3)
    password = secrets.token_hex(12)
    (folder / "password").write_text(password)
    (folder / "password").chmod(0o600)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            _command(folder, ports, onegate), cwd=ROOT, stdout=log, stderr=log, env=os.environ
        )
        try:
            yield _ready(folder, ports, f"oneadmin:{password}", process, onegate)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)


def _command(folder: Path, ports: list[int], onegate: bool) -> list[str]:
    command = [sys.executable, "-m", "lab.opennebula", "--state", str(folder / "state")]
    command += ["--listen", f"127.0.0.1:{ports[0]}", "--onegate", f"127.0.0.1:{ports[1]}"]
    command += ["--events", f"tcp://127.0.0.1:{ports[2]}"]
    command += [
        "--admin-socket",
        str(folder / "admin"),
        "--password-file",
        str(folder / "password"),
    ]
    return command if onegate else [*command, "--onegate-endpoint", ""]


def _ready(
    folder: Path, ports: list[int], session: str, process: subprocess.Popen[bytes], onegate: bool
) -> Site:
    url = f"http://127.0.0.1:{ports[0]}/RPC2"
    end = time.monotonic() + START
    while not _answers(ports[0]):
        late = time.monotonic() > end or process.poll() is not None
        assert not late, (folder / "log").read_text()[-3000:]
        time.sleep(0.05)
    _furnish(url, session)
    return discover(
        url,
        session,
        onegate=f"http://127.0.0.1:{ports[1]}",
        events=f"tcp://127.0.0.1:{ports[2]}",
        switches=folder / "admin",
        facts=frozenset() if onegate else frozenset({"no-onegate"}),
    )


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _furnish(url: str, session: str) -> None:
    """Hosts and datastores as in the recordings' README."""
    for name in HOSTS:
        _call(url, session, "one.host.allocate", name, "dummy", "dummy", 0)
    image = 'NAME="vmimages"\nDS_MAD="dummy"\nTM_MAD="dummy"\nTYPE="IMAGE_DS"'
    system = 'NAME="vmsystem"\nTM_MAD="dummy"\nTYPE="SYSTEM_DS"'
    for text in (image, system):
        _call(url, session, "one.datastore.allocate", text, 0)


def _call(url: str, session: str, method: str, *params: wire.Param) -> None:
    answer = wire.decode(*wire.post(url, wire.encode(method, [session, *params])))
    assert answer.ok, f"{method}{params}: {answer}"


def _free_ports(count: int) -> list[int]:
    """Ports that are free now; all are taken before the first is given back."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
