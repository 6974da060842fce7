"""`python -m lab.airflow start|stop|status|restart NAME|cli …`."""

from __future__ import annotations

import argparse
import os
import sys

from lab.airflow import secrets
from lab.airflow.beside import Beside
from lab.airflow.programs import NAMES
from lab.steps import StepFailedError


def show(airflow: Beside) -> int:
    """Print each process's state; 0 when all four run."""
    states = airflow.supervisor.states()
    for name in NAMES:
        print(f"{name:15} {states.get(name, 'STOPPED').lower()}")
    print(f"{'ui':15} {airflow.url if airflow.door.pid() else 'closed'}")
    return 0 if all(states.get(name) == "RUNNING" for name in NAMES) else 1


def start(airflow: Beside) -> int:
    """Start and print how to log in."""
    airflow.start()
    print(f"{airflow.url}  user admin, password {secrets.password(airflow.place)}")
    return 0


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m lab.airflow", description=__doc__)
    parser.add_argument("command", choices=["start", "stop", "status", "restart", "cli"])
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    os.umask(0o022)  # its processes read what root writes; secrets say who may
    airflow = Beside()
    if options.command == "start":
        return start(airflow)
    if options.command == "status":
        return show(airflow)
    if options.command == "stop":
        airflow.stop()
    elif options.command == "restart":
        airflow.restart(*options.rest)
    else:
        airflow.run("-m", "airflow", *options.rest, quiet=False)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (StepFailedError, TimeoutError) as error:
        sys.exit(str(error))
