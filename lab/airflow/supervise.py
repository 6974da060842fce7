"""A supervisord of Airflow's own: it lives inside, where the checkout is mounted."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping

from lab.airflow import programs
from lab.airflow.place import Place
from lab.airflow.wait import until
from lab.supervisor import Supervisor

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

# The scheduler waits for its running tasks when it is asked to stop; they survive being killed.
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


class AirflowSupervisor(Supervisor):
    """The supervisor of Airflow's processes, driven as the lab's own is."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.run, place.logs)
        self.place = place

    def launch(self, environment: Mapping[str, str]) -> None:
        """Start supervisord unless it runs. *environment* is all that its programs get.

        It holds secrets, and so it is handed over in memory: command lines and files can be read.
        """
        if self.answers():
            return
        file = self.run / "supervisord.conf"
        file.write_text(configuration(self.place))
        self.socket.unlink(missing_ok=True)
        daemon = (str(self.place.python), "-m", "supervisor.supervisord", "-c", str(file))
        command = programs.inside(self.place, *daemon)
        subprocess.run(command, check=True, cwd=self.place.checkout, env=environment)
        until(self.answers, 10, "Airflow's supervisord answers")

    def pid(self, name: str) -> int:
        """Return the pid of a process, 0 while it does not run."""
        return int(self.call("getProcessInfo", name)["pid"])
