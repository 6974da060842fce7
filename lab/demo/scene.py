"""The demo itself: from nothing to release 1.0, and to 1.1 while clients click."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.airflow import secrets
from lab.airflow.beside import Beside
from lab.airflow.client import Airflow
from lab.demo import world
from lab.demo.follow import follow, reasons
from lab.demo.hints import hints, sudo
from lab.demo.report import ENOUGH_REQUESTS, complaints, report
from lab.demo.show import lines
from lab.load.process import Load, clicking
from lab.settings import CHECKOUT

SERVICE = "shop"
DAG = f"rollout_{SERVICE}"
ROLLOUT_S = 400.0
BEFORE_S = 5.0  # clients on the old release before the rollout starts
AFTER_S = 10.0  # clients on the new one after it has ended
AT_MOST_S = 120.0  # more clicking where the rollout was too quick for enough requests
OUT = CHECKOUT / "var" / "demo"


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


def say(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


def lab(command: str) -> None:
    """Run `python -m lab COMMAND`.

    Raises:
        DemoError: it failed.
    """
    result = subprocess.run([sys.executable, "-m", "lab", command], cwd=CHECKOUT, check=False)
    if result.returncode != 0:
        raise DemoError(f"python -m lab {command} ended with {result.returncode}")


def rollout(airflow: Airflow, **params: Any) -> str:
    """Run the service's rollout with *params*, shown live. Return the run id.

    Raises:
        DemoError: it did not succeed; the message has the reasons.
    """
    run_id = airflow.trigger(DAG, **params)
    say(f"\n{DAG} {params}")
    state = follow(airflow, DAG, run_id, ROLLOUT_S, say)
    if state != "success":
        raise DemoError("\n".join([f"{DAG} {state}", *reasons(airflow, DAG, run_id)]))
    return run_id


@dataclass
class Scene:
    """One showing."""

    beside: Beside = field(default_factory=Beside)
    out: Path = OUT
    began: float = field(default_factory=time.monotonic)

    def up(self) -> list[str]:
        """Show the whole and return the complaints."""
        lab("up")
        airflow = self.beside.start(say)
        airflow.wait_for_dag(DAG)
        rollout(airflow, release="1.0", replace="outdated", reason="demo: the release before")
        data = self.release(airflow, "1.1")
        self._write(data)
        say("")
        say("\n".join(lines(data)))
        say(hints(self.beside.url, secrets.password(self.beside.place), sudo(os.environ)))
        return complaints(data)

    def release(self, airflow: Airflow, release: str) -> dict[str, Any]:
        """Bring the service to *release* while clients click. Return the report."""
        old = world.vms_of(world.snapshot(), SERVICE)
        with clicking(self.out / "load.json") as load:
            time.sleep(BEFORE_S)
            run_id = airflow.trigger(DAG, release=release, reason="demo: the new release")
            say(f"\n{DAG} release={release}, clients are clicking")
            state = follow(airflow, DAG, run_id, ROLLOUT_S, say)
            enough(load)
        for reason in reasons(airflow, DAG, run_id) if state != "success" else ():
            say(reason)
        return self._report(airflow, run_id, load.totals(), old)

    def _report(
        self, airflow: Airflow, run_id: str, load: dict[str, Any], old: Sequence[world.Vm]
    ) -> dict[str, Any]:
        rows = airflow.get(f"/dags/{DAG}/tasks")["tasks"]
        after = {row["task_id"]: row["downstream_task_ids"] for row in rows}
        data = report(load, airflow.run(DAG, run_id), airflow.tasks(DAG, run_id), after)
        now = world.snapshot()
        there = {vm.vm_id for vm in world.vms_of(now, SERVICE)}
        data["vms_replaced"] = sum(vm.vm_id not in there for vm in old)
        data["leftovers"] = world.traces(now, old)
        data["elapsed_s"] = round(time.monotonic() - self.began, 1)
        return data

    def _write(self, data: dict[str, Any]) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / "report.json").write_text(json.dumps(data, indent=2) + "\n")

    def down(self) -> None:
        """Stop everything; what stays is in lab/README.md."""
        self.beside.forget()
        lab("down")


def enough(load: Load) -> None:
    """Let the clients click on for a while, and until there are requests enough."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < AT_MOST_S:
        if waited > AFTER_S and load.totals()["requests"] >= ENOUGH_REQUESTS:
            return
        time.sleep(0.5)
