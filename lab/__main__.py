"""`python -m lab up|down|status`: the private cloud on one machine."""

from __future__ import annotations

import argparse
import sys

from lab.down import down
from lab.settings import places
from lab.status import status
from lab.steps import StepFailedError
from lab.up import up


def main() -> int:
    """Run one command; 0 is success, 1 is a failure that was explained."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status"))
    command = parser.parse_args().command
    if command == "status":
        return 0 if status(places()) else 1
    try:
        {"up": up, "down": down}[command](places())
    except StepFailedError as error:
        print(f"lab {command} failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
