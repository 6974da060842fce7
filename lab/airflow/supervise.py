"""A supervisord of Airflow's own, driven over its unix socket."""

from __future__ import annotations

import shlex
import subprocess
import xmlrpc.client
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from lab.airflow import programs
from lab.airflow.place import Place
from lab.airflow.wait import until

HEAD = """\
[unix_http_server]
file = {run}/supervisor.sock
chmod = 0600

[supervisord]
logfile = {logs}/supervisord.log
pidfile = {run}/supervisord.pid
childlogdir = {logs}
directory = /
user = root

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""

# The scheduler waits for its running tasks when it is asked to stop; the tasks survive a kill.
PROGRAM = """
[program:{name}]
command = {command}
autostart = false
autorestart = true
startsecs = 2
startretries = 20
stopasgroup = true
killasgroup = true
stopwaitsecs = 8
redirect_stderr = true
stdout_logfile = {logs}/{name}.log
stdout_logfile_maxbytes = 20MB
stdout_logfile_backups = 1
"""


def configuration(place: Place) -> str:
    """Return supervisord's file: the four processes, none started by itself."""
    text = HEAD.format(run=place.run, logs=place.logs)
    for name in programs.NAMES:
        command = shlex.join(programs.airflow(place, name)).replace("%", "%%")
        text += PROGRAM.format(name=name, command=command, logs=place.logs)
    return text


class Supervisor:
    """The supervisor as the lab drives it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.socket = place.run / "supervisor.sock"

    def call(self, method: str, *arguments: object) -> Any:
        """Call supervisord's XML-RPC interface.

        Raises:
            xmlrpc.client.Fault: it refused.
            OSError: it does not run.
        """
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
        return getattr(proxy.supervisor, method)(*arguments)

    def runs(self) -> bool:
        """Return whether supervisord answers."""
        try:
            return bool(self.call("getState")["statename"] == "RUNNING")
        except (OSError, xmlrpc.client.Error):
            return False

    def states(self) -> dict[str, str]:
        """Return each process's state as supervisord names it; nothing when it does not run."""
        if not self.runs():
            return {}
        return {info["name"]: info["statename"] for info in self.call("getAllProcessInfo")}

    def pid(self, name: str) -> int:
        """Return the pid of a process, 0 while it does not run."""
        return int(self.call("getProcessInfo", name)["pid"])

    def begin(self, environment: dict[str, str]) -> None:
        """Start supervisord itself, unless it runs."""
        if self.runs():
            return
        file = self.place.run / "supervisord.conf"
        file.write_text(configuration(self.place))
        self.socket.unlink(missing_ok=True)
        daemon = (str(self.place.python), "-m", "supervisor.supervisord", "-c", str(file))
        command = programs.inside(self.place, *daemon)
        subprocess.run(command, check=True, cwd=self.place.checkout, env=environment)
        until(self.runs, 10, "supervisord answers")

    def start(self, *names: str) -> None:
        """Start processes side by side; those that run stay as they are."""
        states = self.states()
        for name in names:
            if states[name] not in {"RUNNING", "STARTING"}:
                self.call("startProcess", name, False)

    def stop(self, name: str) -> None:
        """Stop one process and everything that it has started."""
        if self.states()[name] in {"RUNNING", "STARTING", "BACKOFF"}:
            self.call("stopProcess", name)

    def end(self) -> None:
        """Stop all processes and supervisord."""
        if not self.runs():
            return
        pid = int((self.place.run / "supervisord.pid").read_text())
        self.call("shutdown")
        until(lambda: not Path(f"/proc/{pid}").exists(), 30, "supervisord ends")
