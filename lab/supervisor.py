"""One supervisord keeps the lab's services running; the lab drives it over its unix socket."""

from __future__ import annotations

import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from lab.settings import CHECKOUT, NETNS, UID, Places
from lab.supervisor_file import Entry, written


@dataclass(frozen=True)
class Program:
    """One process of the lab. It runs inside the lab's network namespace as `user`."""

    name: str
    command: Sequence[str]
    user: str = str(UID)
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = Path("/")
    stop_signal: str = "TERM"
    stop_group: bool = False
    patience_s: int = 10

    def line(self) -> list[str]:
        """The whole command: namespace, account, a clean environment, program."""
        return [*inside(self.user), *environment(self.environment), *self.command]


def inside(user: str = str(UID)) -> list[str]:
    """The words in front of a command that run it in the lab's network as `user`."""
    words = ["ip", "netns", "exec", NETNS]
    if user == "root":
        return words
    groups = ["--clear-groups"] if user == str(UID) else ["--init-groups"]
    return [*words, "setpriv", "--reuid", user, "--regid", user, *groups]


def environment(values: Mapping[str, str]) -> list[str]:
    """The words in front of a command that give it exactly these variables."""
    base = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    base |= {"LANG": "C.UTF-8", **values}
    return ["env", "-i", *(f"{key}={value}" for key, value in base.items())]


def configuration(programs: Sequence[Program], run: Path, logs: Path) -> str:
    """supervisord's file for these programs."""
    entries = (
        Entry(
            name=program.name,
            command=program.line(),
            directory=program.directory,
            stop_signal=program.stop_signal,
            stop_group=program.stop_group,
            patience_s=program.patience_s,
        )
        for program in programs
    )
    return written(entries, run, logs)


class Supervisor:
    """The lab's supervisord. `run` holds its socket, pid and configuration, `logs` all output."""

    def __init__(self, run: Path, logs: Path) -> None:
        self.run = run
        self.logs = logs
        self.socket = run / "supervisor.sock"

    def call(self, method: str, *arguments: object) -> Any:
        """Call supervisord. Raises xmlrpc.client.Fault (refused) or OSError (it is not there)."""
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        try:
            proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
            return getattr(proxy.supervisor, method)(*arguments)
        finally:
            transport.close()

    def answers(self) -> bool:
        """Whether supervisord runs."""
        try:
            return bool(self.call("getState")["statename"] == "RUNNING")
        except (OSError, xmlrpc.client.Error):
            return False

    def begin(self, programs: Sequence[Program]) -> None:
        """Start supervisord, or teach the running one what has changed."""
        self.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.logs.mkdir(parents=True, exist_ok=True, mode=0o755)
        file = self.run / "supervisord.conf"
        file.write_text(configuration(programs, self.run, self.logs))
        if self.answers():
            self._reread()
            return
        self.socket.unlink(missing_ok=True)
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(file)]
        subprocess.run([*environment({}), *command], check=True, cwd=CHECKOUT)
        deadline = time.monotonic() + 10
        while not self.answers():
            if time.monotonic() > deadline:
                raise TimeoutError(f"supervisord does not answer, see {self.logs}/supervisord.log")
            time.sleep(0.05)

    def _reread(self) -> None:
        """Restart only what has another command now; the rest keeps running."""
        added, changed, removed = self.call("reloadConfig")[0]
        for name in [*changed, *removed]:
            self.call("stopProcessGroup", name)
            self.call("removeProcessGroup", name)
        for name in [*changed, *added]:
            self.call("addProcessGroup", name)

    def start(self, name: str) -> None:
        """Start a program unless it runs; does not wait until it is of use."""
        if self.states().get(name) not in {"RUNNING", "STARTING"}:
            self.call("startProcess", name, False)

    def stop(self, name: str) -> None:
        """Stop a program and wait for its end."""
        if self.states().get(name) in {"RUNNING", "STARTING", "BACKOFF"}:
            self.call("stopProcess", name)

    def states(self) -> dict[str, str]:
        """supervisord's word for the state of each program; empty when it does not run."""
        if not self.answers():
            return {}
        return {info["name"]: info["statename"] for info in self.call("getAllProcessInfo")}

    def end(self) -> None:
        """Stop every program, then supervisord. Idempotent."""
        if not self.answers():
            return
        pid = int((self.run / "supervisord.pid").read_text())
        self.call("stopAllProcesses")
        self.call("shutdown")
        deadline = time.monotonic() + 20
        while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < deadline:
            time.sleep(0.05)


def supervisor_of(places: Places) -> Supervisor:
    """The supervisor of the lab in these places, running or not."""
    return Supervisor(places.of("supervisor"), places.logs)
