"""What the end-to-end tests of the daily rotation ask of the whole fleet."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from lab.airflow import faults
from lab.airflow.beside import Beside
from lab.airflow.client import ENDED, Airflow
from lab.airflow.rows import Task
from lab.airflow.wait import until
from lab.demo import world as worlds
from lab.load.process import Load, clicking
from lab.settings import CHECKOUT, places
from lab.site import ASK_ACCOUNTS, tell
from lab.vm.machines import Machines
from tests.lab.service import Example

DAG = "rotate_fleet"
ROTATION_S = 1200.0
LONG_AGO = timedelta(days=300)  # proofs are kept for 400
MODULE_S = 5400.0  # the longest module of these tests took 1,927 s
CATALOGUE = CHECKOUT / "include" / "catalogue"
Vms = Mapping[str, tuple[worlds.Vm, ...]]

# A program, a cron job that would start it again, a package, and the program as a process.
PLANT = """
set -e
cp /bin/sleep /usr/local/bin/planted
echo '@reboot root /usr/local/bin/planted 86400' > /etc/cron.d/planted
mkdir -p /var/tmp/planted/DEBIAN
printf 'Package: planted\nVersion: 6.6\nArchitecture: all\nMaintainer: nobody <n@lab.test>\n' \
    > /var/tmp/planted/DEBIAN/control
echo 'Description: what somebody needed one day' >> /var/tmp/planted/DEBIAN/control
dpkg-deb --build /var/tmp/planted /var/tmp/planted.deb
dpkg --install /var/tmp/planted.deb
setsid /usr/local/bin/planted 86400 < /dev/null > /dev/null 2>&1 &
"""
FIND = """
[ ! -e /usr/local/bin/planted ] || echo file
[ ! -e /etc/cron.d/planted ] || echo cron job
[ ! -e /var/lib/dpkg/info/planted.list ] || echo package
! grep -qx planted /proc/[0-9]*/comm || echo process
"""
PLANTED = ["file", "cron job", "package", "process"]


def inside(vm: worlds.Vm, script: str, seconds: float = 300) -> str:
    """Run a shell script on a VM as root; return what it wrote.

    Raises:
        AssertionError: it failed.
    """
    machines = Machines(places().vms)
    done = machines.run(f"one-{vm.vm_id}", ["sh", "-c", script], timeout=seconds)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass
class Fleet:
    """All services of the catalogue, and the rotation over them."""

    airflow: Airflow
    beside: Beside
    services: Sequence[Example]

    def vms(self) -> dict[str, tuple[worlds.Vm, ...]]:
        """Return the VMs of each service."""
        now = worlds.snapshot()
        return {each.name: worlds.vms_of(now, each.name) for each in self.services}

    def prepare(self) -> None:
        """Have two good VMs of each service, and a shop that asks accounts."""
        tell(places(), "shop", ASK_ACCOUNTS)
        for each in self.services:
            each.serving()
        for vm in self.vms()["shop"]:
            self._teach(vm)

    def _teach(self, vm: worlds.Vm) -> None:
        """Let a VM that is older than the site's setting hear of it from Puppet."""
        if "accounts_url" in inside(vm, "cat /etc/shop-app/site.conf"):
            return
        who = f"--certname {vm.fqdn} --server puppet.lab.test"
        inside(vm, f"puppet agent --onetime --no-daemonize {who}")
        back = lambda: f"shop {vm.name} {vm.address} UP" in worlds.snapshot()["members"]  # noqa: E731
        until(back, 60, f"{vm.name} serves again", every=1)

    @contextmanager
    def under_load(self, out: Path, clients: int = 30) -> Iterator[Load]:
        """Let clients click at all that has an address for them; not one may notice anything."""
        urls = [word for each in self.services for url in each.urls for word in ("--url", url)]
        with clicking(out, "--clients", str(clients), *urls) as load:
            yield load
        totals = load.totals()
        assert (totals["failed"], totals["lost_sessions"]) == (0, 0), totals["failures"]
        assert all(url["requests"] > 500 for url in totals["urls"].values())

    def free_day(self) -> str:
        """Return a day without a proof or a rollout: the one after the last, beginning long ago.

        An interrupted test leaves rollouts, which count for their day. A day that has not come is
        refused. Days that a rotation of today's date could have left are put away, or no other day
        could be proved any more.
        """
        today = datetime.now(UTC).date()
        for file in self.proofs.glob("????-??-??.*"):
            if date.fromisoformat(file.stem) >= today:
                file.unlink()
        days = [date.fromisoformat(file.stem) for file in self.proofs.glob("*.json")]
        after = [day + timedelta(days=1) for day in days]
        day = max([today - LONG_AGO, *after])
        while self.rollouts(day.isoformat()):
            day += timedelta(days=1)
        return day.isoformat()

    @contextmanager
    def switched_on(self) -> Iterator[None]:
        """Unpause the rotation, as a site does that begins with it."""
        with nullcontext() if self._starts_later() else started_at_another_hour():
            until(self._starts_later, 300, "the nightly start is out of the way", every=1)
            self._pause(False)
            try:
                yield
            finally:
                self._pause(True)

    def _starts_later(self) -> bool:
        """Return whether the schedule starts no rotation while one is tested: it would be first."""
        start = datetime.fromisoformat(self.airflow.get(f"/dags/{DAG}")["next_dagrun_run_after"])
        return start - datetime.now(UTC) > timedelta(seconds=MODULE_S)

    def _pause(self, paused: bool) -> None:
        self.airflow.send("PATCH", f"/dags/{DAG}", json={"is_paused": paused})

    def rotate(self, seconds: float = ROTATION_S, **params: Any) -> tuple[str, str]:
        """Run the rotation to its end. Return its state and its run id."""
        run_id = self.airflow.trigger(DAG, **params)
        return self.airflow.wait_for_run(DAG, run_id, seconds), run_id

    def task(self, run_id: str, name: str) -> Task:
        """Return one task of a rotation."""
        return next(t for t in self.airflow.tasks(DAG, run_id) if t.task_id == name)

    def log(self, run_id: str, name: str) -> str:
        """Return what a task of a rotation has logged."""
        return "\n".join(self.airflow.log(DAG, run_id, self.task(run_id, name)))

    def rollouts(self, day: str) -> dict[str, str]:
        """Return the rollouts that rotations of *day* have started, and how each went."""
        found = {}
        for each in self.services:
            for run in self.airflow.pages(f"/dags/{each.dag}/dagRuns", "dag_runs"):
                if run["dag_run_id"].startswith(f"rotation__{day}__"):
                    found[run["dag_run_id"]] = run["state"]
        return found

    def kill_rotate_half_way(self, run_id: str, day: str) -> None:
        """Kill the process that starts rollouts, as soon as one has ended and others have not."""
        ended = lambda: not ENDED.isdisjoint(self.rollouts(day).values())  # noqa: E731
        until(ended, ROTATION_S, "a first rollout has ended", every=0.5)
        faults.kill_task(self.task(run_id, "rotate").id, seconds=120)

    @property
    def proofs(self) -> Path:
        """Where the installation keeps its proofs."""
        return self.beside.place.home / "snowmelt" / "proof"

    def chain(self, copy: Path) -> Path:
        """Return a copy of the proofs, as an auditor would take one."""
        shutil.copytree(self.proofs, copy)
        return copy

    def proof(self, day: str) -> dict[str, Any]:
        """Return what the proof of a day says."""
        found: dict[str, Any] = json.loads((self.proofs / f"{day}.json").read_text())["proof"]
        return found


def entry(service: str, **changes: Any) -> AbstractContextManager[None]:
    """Change a service's file, as its owner does; afterwards it is as it was."""
    return changed(CATALOGUE / "services" / f"{service}.yaml", **changes)


def started_at_another_hour() -> AbstractContextManager[None]:
    """Let the nightly rotation start in twelve hours."""
    file = CATALOGUE / "fleet.yaml"
    rotation = yaml.safe_load(file.read_text())["rotation"]
    starts = datetime.now(ZoneInfo(rotation["time_zone"])) + timedelta(hours=12)
    return changed(file, rotation={**rotation, "starts": f"{starts:%H:%M}"})


@contextmanager
def changed(file: Path, **changes: Any) -> Iterator[None]:
    """Change a file of the catalogue; afterwards it is as it was."""
    before = file.read_text()
    file.write_text(yaml.safe_dump({**yaml.safe_load(before), **changes}, sort_keys=False))
    try:
        yield
    finally:
        file.write_text(before)


def shut(reason: str) -> dict[str, Any]:
    """Return a `maintenance` with a blackout that goes on for two days."""
    now = datetime.now(UTC)
    begins, ends = now - timedelta(hours=1), now + timedelta(days=2)
    dark = {"begins": f"{begins:%Y-%m-%d %H:%M}", "ends": f"{ends:%Y-%m-%d %H:%M}"}
    return {"blackouts": [{**dark, "reason": reason}]}


def verify(chain: Path) -> tuple[int, str]:
    """Check a chain of proofs as anybody can: no lab, no Airflow. Return code and output."""
    done = subprocess.run(
        [sys.executable, "-m", "snowmelt.verify_proof", str(chain)],
        cwd=CHECKOUT, env={"PYTHONPATH": "plugins:."}, check=False, text=True, capture_output=True,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def rebuilt(before: Vms, after: Vms) -> list[str]:
    """Return the services of which no VM is left that was there before."""
    return [name for name, vms in after.items() if set(vms).isdisjoint(before[name])]
