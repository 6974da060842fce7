"""The product as a process of its own, in the network and the time of the year's cloud."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from lab.settings import CHECKOUT, NETNS
from lab.year.cloud import Cloud

INSIDE = ("ip", "netns", "exec", NETNS)


class Product:
    """`python -m tests.year`: takes the number of a day, lives it, and tells what it did."""

    def __init__(self, cloud: Cloud, names: int) -> None:
        self.log = cloud.places.logs / "product.log"
        self.command = [*INSIDE, sys.executable, "-m", "tests.year", "--names", str(names)]
        self.environment = _environment(cloud)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Product:
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=CHECKOUT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def live(self, day: int) -> dict[str, Any]:
        """Let it live a day. Raises RuntimeError with the end of its log when it died of it."""
        if self._process is None:
            raise RuntimeError("the product has not been started")
        questions = self._pipe(self._process.stdin)
        questions.write(f"{day}\n")
        questions.flush()
        answer = self._pipe(self._process.stdout).readline()
        if not answer:
            self._process.wait(60)  # it still writes down why
            raise RuntimeError(f"day {day}: {_end(self.log)}")
        found: dict[str, Any] = json.loads(answer)
        return found

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        if pipe is None:
            raise RuntimeError("the product has no pipe")
        return pipe


def _environment(cloud: Cloud) -> dict[str, str]:
    found = {
        f"AIRFLOW_CONN_{name.upper()}": json.dumps(entry)
        for name, entry in cloud.connections.items()
    }
    return found | {
        "AIRFLOW_HOME": str(cloud.places.state / "product"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{CHECKOUT / 'plugins'}:{CHECKOUT}",
        **cloud.clock.environment(),
        "FAKETIME_NO_CACHE": "1",  # it compares its own clock with the others'
    }


def _end(log: Path) -> str:
    return "the product ended: " + log.read_text(errors="replace")[-3000:]
