"""`python -m lab.demo up|down|rollout KEY=VALUE…|kill NAME|world`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from lab.airflow import faults
from lab.airflow.beside import Beside, StartError
from lab.demo import world
from lab.demo.scene import DemoError, Scene, rollout, say


def value(text: str) -> Any:
    """Return a param's value: `true` and `4` as JSON, but a release stays the text it is."""
    return json.loads(text) if text in {"true", "false"} or text.isdigit() else text


def params(pairs: Sequence[str]) -> dict[str, Any]:
    """Return the params in `KEY=VALUE` words."""
    split = (pair.partition("=") for pair in pairs)
    return {key: value(text) for key, _, text in split}


def up() -> int:
    """Show the demo; 1 when it was not clean."""
    wrong = Scene().up()
    for complaint in wrong:
        say(f"NOT CLEAN: {complaint}")
    return 1 if wrong else 0


def run(command: str, rest: Sequence[str]) -> int:
    """Run one command on what is up."""
    if command == "rollout":
        rollout(Beside().client(), **params(rest))
    elif command == "kill":
        say(f"killed {faults.kill_process(Beside().supervisor, rest[0])}")
    elif command == "world":
        for system, entries in sorted(world.snapshot().items()):
            say("\n".join([system, *(f"  {entry}" for entry in sorted(entries))]))
    else:
        Scene().down()
    return 0


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m lab.demo", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "rollout", "kill", "world"])
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    try:
        return up() if given.command == "up" else run(given.command, given.rest)
    except (DemoError, StartError, TimeoutError, subprocess.CalledProcessError) as error:
        say(f"{error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
