"""`python -m lab up|down|status`: the private cloud on one machine."""

from __future__ import annotations

import argparse
import sys

from lab.settings import places
from lab.steps import StepFailedError

# Each command imports only what it needs: the API clients of `up` alone take a second.


def _up() -> int:
    from lab.up import up

    up(places())
    return 0


def _down() -> int:
    from lab.down import down

    down(places())
    return 0


def _status() -> int:
    from lab.status import status

    return 0 if status(places()) else 1


_COMMANDS = {"up": _up, "down": _down, "status": _status}


def main() -> int:
    """Run one command; 0 is success, 1 is a failure that was explained."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("command", choices=tuple(_COMMANDS))
    command = parser.parse_args().command
    try:
        return _COMMANDS[command]()
    except StepFailedError as error:
        print(f"lab {command} failed: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
