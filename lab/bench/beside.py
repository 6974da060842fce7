"""The bench's own world: a network, PostgreSQL, the stand-ins, and Airflow beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab import net, ours
from lab.airflow.beside import Beside
from lab.airflow.client import Airflow
from lab.airflow.wait import until
from lab.alone import alone
from lab.bench.catalogue import write_catalogue
from lab.bench.floor import Shape
from lab.bench.process import RunningCloud
from lab.down import down
from lab.inside import enter
from lab.services import postgres
from lab.settings import CHECKOUT, NETNS, Places
from lab.supervisor import supervisor_of

_BARE_S = 3600.0  # to make 1,000 VMs takes some ten minutes


# What docs/airflow-settings.md advises for hundreds of services, where the lab has three.
LARGE = {
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "60",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
    "AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE": "5",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "3",
}


class BenchAirflow(Beside):
    """Airflow as beside the lab, with the bench's catalogue."""

    def __init__(self, catalogue: Path) -> None:
        super().__init__()
        self.catalogue = catalogue

    def environment(self) -> dict[str, str]:
        return super().environment() | LARGE | {"SNOWMELT_CATALOGUE": str(self.catalogue)}

    @property
    def root(self) -> int:
        """The process above all of Airflow's."""
        return int((self.place.run / "supervisord.pid").read_text())


@dataclass(frozen=True)
class World:
    """What the measurements work with."""

    places: Places
    cloud: RunningCloud
    beside: BenchAirflow
    airflow: Airflow
    names: list[str]
    seeded: set[str] = field(default_factory=set)

    def seed(self, names: Iterable[str]) -> None:
        """Make the VMs of those services that have none yet."""
        empty = sorted(set(names) - self.seeded)
        parts = [part for part in (empty[::2], empty[1::2]) if part]
        if parts:
            # one Python for each core: for 1,000 VMs a single one was busy for eleven minutes
            with ThreadPoolExecutor(len(parts)) as pool:
                list(pool.map(lambda part: self.bare("seed", "1.0", *part), parts))
            self.seeded.update(empty)

    def bare(self, *arguments: str) -> float:
        """Run the bare script inside; returns the seconds that it measured."""
        environment = {
            f"AIRFLOW_CONN_{name.upper()}": json.dumps(entry)
            for name, entry in self.cloud.connections.items()
        }
        environment |= {
            "AIRFLOW_HOME": str(self.places.state / "bare" / arguments[-1]),  # not another's too
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{CHECKOUT / 'plugins'}:{CHECKOUT}",
            "SNOWMELT_CATALOGUE": str(self.beside.catalogue),
        }
        command = [*INSIDE, sys.executable, "-m", "tests.bench.bare", *arguments]
        done = subprocess.run(
            command,
            env=environment,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
            timeout=_BARE_S,
        )
        if done.returncode:
            raise RuntimeError(f"the bare script failed: {done.stderr[-2000:]}")
        return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


INSIDE = ("ip", "netns", "exec", NETNS)


@contextmanager
def world(places: Places, shape: Shape, speed: float) -> Iterator[World]:
    """Everything up for the length of the block; nothing is left of it afterwards.

    Raises:
        ValueError: this process was told of the lab's own network, which would be taken down.
        NotOursError: the folder is not the bench's.
    """
    if not NETNS.startswith("snowmelt-bench"):
        raise ValueError(f"the bench does not work in the network {NETNS}")
    with alone("a bench"):
        down(places)  # what a killed bench left
        ours.claim(places.state)
        with _world(places, shape, speed) as found:
            yield found


@contextmanager
def _world(places: Places, shape: Shape, speed: float) -> Iterator[World]:
    catalogue = places.state / "catalogue" / "services"
    names = write_catalogue(
        catalogue, shape.services, shape.replicas, shape.canary_s, shape.watch_s
    )
    beside = BenchAirflow(catalogue)
    cloud = RunningCloud(
        places.state, vms=shape.vms, services=shape.services, speed=speed, enter=INSIDE
    )
    try:
        _database(places)
        with cloud:
            airflow = beside.start()
            airflow.wait_for_dag(f"rollout_{names[-1]}", 600)
            _pause_others(airflow)
            yield World(places, cloud, beside, airflow, names)
    finally:
        beside.forget()
        down(places)


def _pause_others(airflow: Airflow) -> None:
    """What runs by the clock is no part of a rollout's cost: the audit, the cleaning."""
    for dag in list(airflow.pages("/dags", "dags")):
        if not dag["dag_id"].startswith("rollout_"):
            airflow.send("PATCH", f"/dags/{dag['dag_id']}", json={"is_paused": True})


def _database(places: Places) -> None:
    """The network, and PostgreSQL in it."""
    places.state.chmod(0o755)
    places.secrets.mkdir(exist_ok=True, mode=0o711)
    net.up(places.state)
    service = postgres.service(places)
    service.prepare()
    warden = supervisor_of(places)
    warden.begin([service.program])
    warden.start(service.name)
    with ThreadPoolExecutor(1, initializer=enter) as pool:
        ready = lambda: pool.submit(service.ready).result()  # noqa: E731
        until(ready, service.patience_s, "PostgreSQL is ready")
