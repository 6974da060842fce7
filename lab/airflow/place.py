"""Where everything of the lab's Airflow lies, and under which user and namespace it runs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from lab import settings

LAB_UID = settings.UID  # the user `lab`, made by lab-up


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The folders and the namespace of one lab. Nothing of Airflow's lies outside of them."""

    state: Path  # the lab's one folder
    cache: Path  # survives lab-down: compiled Python, so that a second start costs no compiling
    netns: str
    checkout: Path
    dags: str  # inside the checkout; an absolute path stands for itself

    @property
    def root(self) -> Path:
        return self.state / "airflow"

    @property
    def home(self) -> Path:
        """AIRFLOW_HOME."""
        return self.root / "home"

    @property
    def mount(self) -> Path:
        """Where Airflow's processes see the checkout; an empty directory to everybody else."""
        return self.root / "checkout"

    @property
    def requests(self) -> Path:
        """The entries of the VMs that people asked for."""
        return self.root / "requests"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """Output of the processes; the logs of tasks are under `home`."""
        return self.root / "log"

    @property
    def python(self) -> Path:
        """The interpreter as Airflow's processes see it."""
        return self.mount / Path(sys.prefix).relative_to(self.checkout) / "bin" / "python"

    @property
    def database_password(self) -> Path:
        """Written by lab-up together with the database `airflow`."""
        return self.state / "secrets" / "postgres-airflow"

    @property
    def connections(self) -> Path:
        """Written by lab-up: how the product reaches the lab's services."""
        return self.state / "connections.json"

    def folders(self) -> tuple[Path, ...]:
        """Return what has to exist before anything starts, parents first."""
        own = (self.root, self.home, self.mount, self.secrets, self.run, self.logs, self.requests)
        return (*own, self.root / "tmp", self.cache / "pycache")


def here() -> Place:
    """Return the place of this checkout's lab; the environment can move it for trials."""
    lab = settings.places()
    return Place(
        state=lab.state,
        cache=lab.cache,
        netns=settings.NETNS,
        checkout=settings.CHECKOUT,
        dags=os.environ.get("SNOWMELT_LAB_DAGS", "dags"),
    )
