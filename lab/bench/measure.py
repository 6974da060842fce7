"""The measurements: parsing, one deployment against a bare script, and a rotation of the fleet."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from lab.airflow.beside import StartError
from lab.airflow.client import Airflow
from lab.bench.beside import World, world
from lab.bench.floor import Shape
from lab.bench.guests import Waits
from lab.bench.logs import kept
from lab.bench.parse import parse_s
from lab.bench.rotation import rotation
from lab.settings import places

Say = Callable[[str], None]

REPLICAS = 4
MANY = 500  # services that are parsed
_DEPLOY_S = 1800.0
# What a part fails with when the machine, Airflow or the product does not do what it should. It
# is told, and the other parts are measured all the same.
_FAILURES = (
    RuntimeError,
    StartError,
    OSError,  # TimeoutError is one
    httpx.HTTPError,
    subprocess.SubprocessError,
)


@dataclass
class Bench:
    """What has been measured so far."""

    vms: int
    speed: float
    say: Say
    logs: Path  # where those of Airflow lie afterwards if something failed
    found: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def measure(self, parts: Collection[str]) -> None:
        """Measure what is asked for, one after the other."""
        if "parse" in parts:
            self.say(f"parsing {MANY} services")
            self.try_to("parse", lambda: {"parse_500_s": parse_s(MANY)})
        if {"deploy", "rotation"} & set(parts):
            self.try_to("the bench's world", lambda: self._in_its_world(parts))

    def try_to(self, part: str, measure: Callable[[], dict[str, Any]]) -> None:
        """Keep what *measure* finds, or why it found nothing."""
        began = time.monotonic()
        try:
            self.found |= measure()
        except _FAILURES as error:
            self.errors[part] = f"{type(error).__name__}: {error}"
            self.say(f"{part} FAILED: {self.errors[part]}")
        self.say(f"{part}: {time.monotonic() - began:.0f} s")

    def _in_its_world(self, parts: Collection[str]) -> dict[str, Any]:
        shape, waits = _shape(self.vms, self.speed), Waits().divided(self.speed)
        self.found |= {"services": shape.services, "replicas": shape.replicas}
        self.say(f"a cloud for {shape.vms} VMs, and Airflow beside it")
        with (
            world(places(), shape, self.speed) as bench,
            kept(bench.beside.place, self.logs, failed=lambda: self.errors),
        ):
            if "deploy" in parts:
                self.try_to("deploy", lambda: deployment(bench, self.say))
            if "rotation" in parts:
                self.try_to("rotation", lambda: rotation(bench, shape, waits, self.say, self.note))
        return {}

    def note(self, found: dict[str, Any]) -> None:
        """Keep what is known before a part has ended: it may not get there."""
        self.found |= found


def _shape(vms: int, speed: float) -> Shape:
    """At least three services: one for the script, one for Airflow, and a fleet."""
    return Shape(
        services=max(3, vms // REPLICAS),
        replicas=min(REPLICAS, max(1, vms // 3)),
        canary_s=max(1, round(10 / speed)),
        watch_s=max(1, round(30 / speed)),
    )


def deployment(bench: World, say: Say) -> dict[str, Any]:
    """Release 1.1 in place of 1.0: by the bare script, then by Airflow."""
    by_script, by_airflow = bench.names[:2]
    say("two services come to be")
    bench.seed([by_script, by_airflow])
    say("one deployment by the bare script")
    bare = bench.bare("deploy", "1.1", by_script)
    say(f"{bare:.1f} s; one deployment by Airflow")
    took = rollout_s(bench.airflow, by_airflow, release="1.1")
    say(f"{took:.1f} s")
    return {"deploy_ratio": took / bare, "deploy_s": took, "bare_s": bare}


def rollout_s(airflow: Airflow, service: str, **params: Any) -> float:
    """How long one rollout takes, by Airflow's own clock, from the request to its end."""
    dag_id = f"rollout_{service}"
    run_id = airflow.trigger(dag_id, **params)
    state = airflow.wait_for_run(dag_id, run_id, _DEPLOY_S)
    if state != "success":
        raise RuntimeError(f"{run_id} of {dag_id} {state}")
    run = airflow.run(dag_id, run_id)
    ended, asked = (datetime.fromisoformat(run[key]) for key in ("end_date", "queued_at"))
    return (ended - asked).total_seconds()
