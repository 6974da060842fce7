"""The bench's cloud as a process of its own: `python -m lab.bench.process FOLDER --vms 10`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.airflow.wait import until
from lab.bench.cloud import Cloud
from lab.bench.guests import Waits
from lab.settings import CHECKOUT, UID

_START_S = 60.0


class RunningCloud:
    """The process, started and asked from outside. `enter` are the words in front of it."""

    def __init__(
        self,
        folder: Path,
        *,
        vms: int,
        services: int,
        speed: float = 1.0,
        enter: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        options = ["--vms", str(vms), "--services", str(services), "--speed", str(speed)]
        program = [sys.executable, "-m", "lab.bench.process", str(folder), *options]
        self.command = [*enter, *program]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RunningCloud:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "cloud.log").open("wb") as log:
            self._process = subprocess.Popen(self.command, cwd=CHECKOUT, stdout=log, stderr=log)
        try:
            until(self._ready, _START_S, f"the bench's cloud is ready, see {self.folder}/cloud.log")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def _ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"the bench's cloud ended, see {self.folder}/cloud.log")
        return (self.folder / "control.sock").exists()

    @property
    def connections(self) -> dict[str, dict[str, Any]]:
        """How the product reaches it."""
        found: dict[str, dict[str, Any]]
        found = json.loads((self.folder / "connections.json").read_text())
        return found

    def report(self) -> dict[str, Any]:
        """What was asked of each system since the last reset."""
        return self._ask("report")

    def reset(self) -> dict[str, Any]:
        """The same, and count from zero again."""
        return self._ask("reset")

    def _ask(self, word: str) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.folder / "control.sock"))
            line.sendall(f"{word}\n".encode())
            found: dict[str, Any] = json.loads(b"".join(iter(lambda: line.recv(65536), b"")))
        return found


def _control(cloud: Cloud) -> socketserver.ThreadingUnixStreamServer:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            found = cloud.report()
            if self.rfile.readline().strip() == b"reset":
                cloud.reset()
            self.wfile.write(json.dumps(found).encode())

    path = cloud.folder / "control.sock"
    path.unlink(missing_ok=True)
    server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
    server.daemon_threads = True
    return server


def serve(folder: Path, vms: int, services: int, speed: float) -> None:
    """Serve until SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    cloud = Cloud(folder, Waits().divided(speed), vms, services)
    cloud.start()
    if os.geteuid() == 0:  # Airflow runs as another account, which needs the client's key
        os.chown(folder / "client.key", UID, UID)
    with _control(cloud) as control:
        threading.Thread(target=control.serve_forever, daemon=True).start()
        ended.wait()
        control.shutdown()
    cloud.stop()


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vms", type=int, default=10, help="what it has to have room for")
    parser.add_argument("--services", type=int, default=2, help="how many pools there are")
    parser.add_argument("--speed", type=float, default=1.0, help="divides every waiting time")
    options = parser.parse_args()
    serve(options.folder, options.vms, options.services, options.speed)


if __name__ == "__main__":
    main()
