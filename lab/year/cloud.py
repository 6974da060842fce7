"""The lab's services without VMs, under a clock of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from lab import connections, net, ours
from lab.alone import alone
from lab.down import down
from lab.inside import enter
from lab.services import icinga, knot, postgres, puppetdb, puppetserver
from lab.services.base import Service
from lab.settings import NETNS, Places
from lab.steps import Progress, Step, run
from lab.supervisor import Supervisor, supervisor_of
from lab.up import folders, once, step
from lab.year.clock import Clock

# Some seconds are a day here. PuppetDB's timers are real: it looks for what is too old every 6 s.
RETENTION = {**puppetdb.RETENTION, "gc-interval": "0.1"}


@dataclass(frozen=True)
class Cloud:
    """What runs, and how to reach it."""

    places: Places
    clock: Clock
    warden: Supervisor
    parts: dict[str, Service]

    @property
    def connections(self) -> dict[str, dict[str, Any]]:
        """How the product reaches it, in the form of Airflow Connections."""
        found: dict[str, dict[str, Any]]
        found = json.loads((self.places.state / "connections.json").read_text())
        return found

    def stop(self, name: str) -> None:
        """Stop one service."""
        self.warden.stop(name)

    def start(self, name: str) -> None:
        """Start one service that was stopped; returns when it is of use."""
        alone = replace(self.parts[name], needs=())
        run([step(alone, self.warden, self.places)], Progress(), enter)


def services(places: Places, clock: Clock) -> list[Service]:
    """Every part; those whose state depends on what day it is live by *clock*."""
    puppet = replace(puppetserver.service(places), needs=("certificates", "code"))
    timed = [
        knot.service(places),  # it has no use for the day, but checks the time of signed updates
        puppet,
        puppetdb.service(places, RETENTION),
        icinga.service(places, checks=False),  # no VM would answer
    ]
    return [*(_under(clock, each) for each in timed), postgres.service(places)]


def _under(clock: Clock, service: Service) -> Service:
    """The service by that clock. What runs for an hour has the time to be compiled well."""
    program = service.program
    fit = replace(
        program,
        command=[word for word in program.command if word != puppetserver.START_QUICKLY],
        environment={**program.environment, **clock.environment()},
    )
    return replace(service, program=fit, patience_s=600)


@contextmanager
def cloud(places: Places) -> Iterator[Cloud]:
    """Everything up for the length of the block; nothing is left of it afterwards.

    Raises:
        ValueError: this process was told of the lab's own network, which would be taken down.
        StepFailedError: a part did not come up, or the folder is not the year's.
    """
    if not NETNS.startswith("snowmelt-year"):
        raise ValueError(f"the year does not pass in the network {NETNS}")
    clock = Clock(places.state / "clock" / "offset")
    with alone("a year"):
        down(places)  # what a killed one left
        try:
            yield _up(places, clock)
        finally:
            down(places)


def _up(places: Places, clock: Clock) -> Cloud:
    ours.claim(places.state)
    folders(places)
    clock.to(0)
    net.up(places.state)
    parts = services(places, clock)
    warden = supervisor_of(places)
    warden.begin([part.program for part in parts])
    steps = [step(part, warden, places) for part in parts]
    run([*steps, *_once_only(places)], Progress(), enter)
    return Cloud(places, clock, warden, {part.name: part for part in parts})


def _once_only(places: Places) -> list[Step]:
    certificates = once(places, "certificates", lambda: puppetserver.certificates(places))
    return [
        Step("certificates", certificates),
        Step("code", lambda: f"{puppetserver.control_repository(places).name}"),
        Step("connections", lambda: connections.save(places), ("icinga", "knot", "certificates")),
    ]
