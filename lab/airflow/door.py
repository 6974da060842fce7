"""The UI's door on the host's loopback: which port, and the forwarder behind it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from lab.airflow import programs
from lab.airflow.place import Place
from lab.airflow.settings import API_PORT


def listen(wanted: int) -> socket.socket:
    """Return a socket that listens on 127.0.0.1 at port *wanted*, or at a free one."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", wanted))
    except OSError:
        listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    return listening


class Door:
    """The forwarder process of this lab."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.pid_file = place.run / "forward.pid"
        self.port_file = place.run / "ui.port"

    @property
    def port(self) -> int:
        """The port on the host's loopback; it stays the same for the life of the lab."""
        return int(self.port_file.read_text()) if self.port_file.exists() else API_PORT

    def pid(self) -> int | None:
        """Return the forwarder's pid if it runs."""
        if not self.pid_file.exists():
            return None
        pid = int(self.pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline")
        try:
            ours = b"lab.airflow.forward" in command.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return pid if ours else None

    def open(self, environment: dict[str, str]) -> int:
        """Start the forwarder unless it runs. Return the port."""
        if self.pid() is not None:
            return self.port
        with listen(self.port) as listening:
            descriptor = listening.fileno()
            forward = ("-m", "lab.airflow.forward", "--fd", str(descriptor))
            command = programs.as_lab(self.place, *forward, "--to", f"127.0.0.1:{API_PORT}")
            pid = self._spawn(command, environment, descriptor)
            self.port_file.write_text(str(listening.getsockname()[1]))
        self.pid_file.write_text(str(pid))
        return self.port

    def _spawn(self, command: list[str], environment: dict[str, str], descriptor: int) -> int:
        """Start *command* as nobody's child: it outlives us, and nobody has to wait for it."""
        orphaned = ["sh", "-c", 'setsid "$@" </dev/null >>"$LOG" 2>&1 & echo $!', "sh", *command]
        started = subprocess.run(
            orphaned,
            cwd=self.place.checkout,
            env={**environment, "LOG": str(self.place.logs / "forward.log")},
            pass_fds=[descriptor],
            stdout=subprocess.PIPE,
            check=True,
        )
        return int(started.stdout)

    def close(self) -> None:
        """Stop the forwarder."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            while self.pid() is not None:
                time.sleep(0.05)
        self.pid_file.unlink(missing_ok=True)
