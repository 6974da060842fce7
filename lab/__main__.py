"""`python -m lab up|down|status`: the private cloud on one machine."""

from __future__ import annotations

import argparse
import os
import sys

from lab.alone import alone
from lab.settings import places
from lab.steps import StepFailedError

# Each command imports only what it needs: the API clients of `up` alone take a second.


def _up(given: argparse.Namespace) -> int:
    from lab.airflow.beside import Beside
    from lab.down import down
    from lab.up import half_gone, outdated, up

    with alone("lab up"):
        airflow = Beside()
        if half_gone(places()):
            print("somebody interrupted a lab-down: it is done first", flush=True)
            down(places())
        elif given.fresh and (outdated(places()) or airflow.outdated()):
            print("there is a lab that came up with other code: it is taken down first", flush=True)
            down(places())
        up(places())
        if airflow.outdated():
            airflow.start().close()
    return 0


def _down(_: argparse.Namespace) -> int:
    from lab.down import down

    with alone("lab down"):
        down(places())
    return 0


def _status(_: argparse.Namespace) -> int:
    from lab.status import status

    return 0 if status(places()) else 1


_COMMANDS = {"up": _up, "down": _down, "status": _status}


def main() -> int:
    """Run one command; 0 is success, 1 is a failure that was explained."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("command", choices=tuple(_COMMANDS))
    parser.add_argument(
        "--fresh", action="store_true", help="up: take a lab down first that other code has started"
    )
    given = parser.parse_args()
    os.umask(0o022)  # services of the account `lab` read what root writes; secrets say who may
    try:
        return _COMMANDS[given.command](given)
    except (StepFailedError, TimeoutError) as error:
        print(f"lab {given.command} failed: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
