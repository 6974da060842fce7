"""Bring Airflow up beside the lab and take it down again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import httpx

from lab import code, ours
from lab.airflow import connections, programs, secrets, settings
from lab.airflow.client import Airflow
from lab.airflow.door import Door
from lab.airflow.place import LAB_UID, Place, here
from lab.airflow.supervise import AirflowSupervisor
from lab.airflow.wait import until
from lab.steps import StepFailedError

CA_LANE = 4  # steps at once; each has the CA for some 50 ms of its second or two
API_UP_S = 300.0  # 15 s on two idle cores, 10 s more at the very first start; minutes if starved


class StartError(StepFailedError):
    """Something that Airflow needs is missing; the message says what to do."""


class Beside:
    """Airflow beside one lab."""

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or here()
        self.door = Door(self.place)
        self.supervisor = AirflowSupervisor(self.place)

    @property
    def url(self) -> str:
        """The UI's address on the host."""
        return f"http://127.0.0.1:{self.door.port}"

    def client(self, user: str = "admin") -> Airflow:
        """Return a client of the REST API as *user*."""
        return Airflow(self.url, user, secrets.password(self.place, user))

    def environment(self) -> dict[str, str]:
        """Return the environment of Airflow's processes."""
        return settings.environment(self.place, secrets.load(self.place), ui_port=self.door.port)

    def start(self, say: Callable[[str], None] = print) -> Airflow:
        """Start what does not run yet and return a client when the API answers.

        What runs with other code than this checkout's is stopped first.
        """
        self._check()
        self._make_folders()
        if self.outdated():
            say(f"Airflow runs with other code ({self._running()}): it is started anew")
            self.stop()
        if not self.supervisor.answers():
            self._code.write_text(code.airflow())
        self.door.open({"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", **self.environment()})
        self._migrate(say)
        self.supervisor.launch(self.environment())
        for name in programs.NAMES:
            self.supervisor.start(name)
        say("Airflow starts: " + ", ".join(programs.NAMES))
        client = self.client()
        until(lambda: self._healthy(client), API_UP_S, "Airflow's four processes report healthy")
        connections.bring(client, self.place.connections)
        client.ensure_pool("snowmelt_ca", CA_LANE, "The steps that ask the Puppet CA")
        say(f"Airflow is up at {self.url}")
        return client

    def outdated(self) -> bool:
        """Whether it runs, and with other code than this checkout's."""
        return self.supervisor.answers() and self._running() != code.airflow()

    @property
    def _code(self) -> Path:
        return self.place.run / "code"

    def _running(self) -> str:
        return self._code.read_text() if self._code.exists() else "unknown"

    def stop(self) -> None:
        """Stop all processes. What they have stored stays until lab-down."""
        self.supervisor.end()
        self.door.close()

    def forget(self) -> None:
        """Stop, and remove Airflow's folder; its database belongs to the lab.

        Raises:
            NotOursError: the folder above is no lab's.
        """
        ours.check(self.place.state)
        self.stop()
        shutil.rmtree(self.place.root, ignore_errors=True)

    def restart(self, name: str) -> None:
        """Stop and start one process with all that it has started."""
        self.supervisor.stop(name)
        self.supervisor.start(name)

    def _healthy(self, client: Airflow) -> bool:
        try:
            parts = client.health()
        except httpx.HTTPError:
            return False
        names = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all(parts[name]["status"] == "healthy" for name in names)

    def _check(self) -> None:
        if os.geteuid() != 0:
            raise StartError("Airflow beside the lab needs root for its namespaces: use sudo")
        if not self.place.database_password.exists():
            raise StartError(f"no {self.place.database_password}: bring the lab up first")
        if not self.place.checkout.stat().st_mode & 0o005:
            raise StartError(f"{self.place.checkout} has to be readable by all (chmod -R o+rX)")

    def _make_folders(self) -> None:
        for folder in self.place.folders():
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        ours = (self.place.home, self.place.requests, self.place.root / "tmp")
        for folder in (*ours, self.place.cache / "pycache"):
            os.chown(folder, LAB_UID, LAB_UID)
        self.place.secrets.chmod(0o700)
        os.chown(self.place.secrets, LAB_UID, LAB_UID)

    def _migrate(self, say: Callable[[str], None]) -> None:
        """Make the tables, once: lab-down takes the database and this mark away together.

        Another Airflow than the last one may have other tables.
        """
        mark, airflow = self.place.run / "migrated", version("apache-airflow-core")
        if mark.exists() and mark.read_text() == airflow:
            return
        say("Airflow's database is being prepared")
        self.run("-m", "airflow", "db", "migrate")
        self.run("-m", "lab.airflow.database")  # its limit would end a migration that starves
        mark.write_text(airflow)

    def run(self, *arguments: str, quiet: bool = True) -> None:
        """Run a Python program where Airflow runs, with its settings.

        Raises:
            StartError: it failed; the message ends with its last lines.
        """
        command = programs.as_lab(self.place, *arguments)
        result = subprocess.run(
            command, cwd=self.place.checkout, env=self.environment(), check=False,
            text=True, stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT if quiet else None,
        )  # fmt: skip
        if result.returncode != 0:
            tail = "\n".join((result.stdout or "").splitlines()[-15:])
            raise StartError(f"{' '.join(arguments)} ended with {result.returncode}\n{tail}")
