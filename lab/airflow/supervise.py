"""A supervisord of Airflow's own: it lives inside, where the checkout is mounted."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from lab.airflow import programs
from lab.airflow.place import Place
from lab.airflow.wait import until
from lab.supervisor import Supervisor
from lab.supervisor_file import Entry, written

# The scheduler waits for its running tasks when it is asked to stop; they survive being killed.
PATIENCE_S = 8


def configuration(place: Place) -> str:
    """Return supervisord's file: the four processes, none started by itself."""
    entries = (
        Entry(name=name, command=programs.airflow(place, name), patience_s=PATIENCE_S)
        for name in programs.NAMES
    )
    return written(entries, place.run, place.logs)


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
