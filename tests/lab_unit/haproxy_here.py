"""A real HAProxy on loopback for one test, in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.services.haproxy import DEFAULTS

PROGRAM = Path(__file__).resolve().parents[2] / "contrib" / "haproxy" / "snowmelt-members"

CONFIGURATION = """\
global
    stats socket {folder}/admin.sock mode 600 level admin
    hard-stop-after 1s
{defaults}
frontend web
    bind 127.0.0.1:{port}
    http-request disable-l7-retry if METH_POST
    default_backend shop
backend shop
    balance leastconn
    # BEGIN snowmelt members shop
    server shop-a-0 127.0.0.1:9 check weight 100
    # END snowmelt members shop
backend accounts
    balance leastconn
    # BEGIN snowmelt members accounts
    # END snowmelt members accounts
"""


@dataclass
class Balancer:
    """HAProxy and its files. `master` is the process that takes the reload signal."""

    folder: Path
    port: int  # of the frontend, on 127.0.0.1
    master: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        return self.folder / "haproxy.cfg"

    def start(self) -> None:
        """Start HAProxy and wait until its admin socket answers."""
        (self.folder / "admin.sock").unlink(missing_ok=True)
        with (self.folder / "haproxy.log").open("ab") as log:
            command = ["haproxy", "-W", "-f", str(self.config)]
            self.master = subprocess.Popen(command, stdout=log, stderr=log)
        self.wait_for_worker(other_than="")

    def crash(self) -> None:
        """kill -9; nothing of it gets a chance to write anything."""
        assert self.master is not None
        worker = self.worker()
        self.master.kill()
        self.master.wait(5)
        if worker:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(worker), signal.SIGKILL)

    def reload(self) -> None:
        """SIGUSR2: a new worker reads the file and takes over."""
        assert self.master is not None
        before = self.worker()
        self.master.send_signal(signal.SIGUSR2)
        self.wait_for_worker(other_than=before)

    def wait_for_worker(self, other_than: str) -> None:
        deadline = time.monotonic() + 5
        while self.worker() in {"", other_than}:
            assert time.monotonic() < deadline, (self.folder / "haproxy.log").read_text()
            time.sleep(0.02)

    def worker(self) -> str:
        """The working process's pid, empty while none answers."""
        try:
            facts = self.say("show info")
        except OSError:
            return ""
        pids = [line[5:] for line in facts.splitlines() if line.startswith("Pid: ")]
        return pids[0] if pids else ""

    def say(self, command: str) -> str:
        """A command to the admin socket."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(2)
            line.connect(str(self.folder / "admin.sock"))
            line.sendall(command.encode() + b"\n")
            answer = b"".join(iter(lambda: line.recv(65536), b""))
        return answer.decode()

    def sync(self) -> subprocess.CompletedProcess[str]:
        """Run the shipped program once."""
        options = ["--socket", str(self.folder / "admin.sock"), "--config", str(self.config)]
        command = [sys.executable, str(PROGRAM), *options, "--haproxy", _haproxy(), "sync"]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)

    def written(self) -> list[str]:
        """The member lines in the file."""
        lines = [line.strip() for line in self.config.read_text().splitlines()]
        return [line for line in lines if line.startswith("server ")]

    def running(self, pool: str = "shop") -> list[str]:
        """The members that HAProxy has in memory, with their weights."""
        rows = self.say(f"show servers state {pool}").splitlines()[2:]
        return [f"{row.split()[3]} {row.split()[7]}" for row in rows if row.strip()]


def _haproxy() -> str:
    return shutil.which("haproxy") or "/usr/sbin/haproxy"


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Balancer]:
    """HAProxy with one member in its file, running."""
    if not Path(_haproxy()).exists():
        pytest.skip("HAProxy is not installed (make setup installs it)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = Balancer(tmp_path, port)
    found.config.write_text(CONFIGURATION.format(folder=tmp_path, port=port, defaults=DEFAULTS))
    found.start()
    yield found
    if found.master is not None and found.master.poll() is None:
        found.crash()
