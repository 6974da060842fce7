"""What docs/how-to/state.md asks of whoever runs the systems, done day by day."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab.settings import CHECKOUT
from lab.supervisor import environment, inside
from lab.year.cloud import Cloud
from lab.year.sizes import psql

PRUNE_CA = CHECKOUT / "contrib" / "puppet" / "snowmelt-prune-ca"
FACTS_DAYS = 3  # an agent's every run writes them anew
REINDEX_DAYS = 30  # PuppetDB's: an index over facts keeps each value that ever was


class Housekeeping:
    """The timers of an operator. *began* has the real time at which each day began."""

    def __init__(self, cloud: Cloud, lists_every: int) -> None:
        self.cloud = cloud
        self.lists_every = lists_every
        self.began: dict[int, float] = {}

    def at(self, day: int, began: float) -> None:
        """Do what is due on that day."""
        self.began[day] = began
        old_facts(self.cloud.places.of("puppet") / "var" / "yaml" / "facts", self.began, day)
        if self.lists_every and day and day % self.lists_every == 0:
            self.cloud.stop("puppetserver")
            self._prune("--revocations")
            self.cloud.start("puppetserver")
        else:
            self._prune()
        if day and day % REINDEX_DAYS == 0:
            psql(self.cloud.places, "reindex database concurrently puppetdb")

    def _prune(self, *options: str) -> None:
        places = self.cloud.places
        program = places.of("puppet") / PRUNE_CA.name  # the checkout may be closed to its account
        program.write_text(PRUNE_CA.read_text())
        cadir = str(places.of("puppet") / "ssl" / "ca")
        command = [*inside(), *environment(self.cloud.clock.environment())]
        command += ["/usr/bin/ruby", str(program), "--cadir", cadir, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        if done.returncode:
            raise RuntimeError(f"{PRUNE_CA.name}: {done.stdout}{done.stderr}")


def old_facts(folder: Path, began: Mapping[int, float], day: int) -> None:
    """Remove the cached facts that nobody wrote in the last days.

    The kernel has no shifted clock: a file's age in days is told by when each day really began.
    """
    oldest = began.get(day - FACTS_DAYS)
    for file in folder.glob("*.yaml") if oldest else ():
        if file.stat().st_mtime < (oldest or 0):
            file.unlink()
