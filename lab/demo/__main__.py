"""`python -m lab.demo up|down|rollout KEY=VALUE…|kill NAME|lose-answer|by-hand NAME|world`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from lab.airflow import faults
from lab.airflow.beside import Beside
from lab.demo import world
from lab.demo.scene import DemoError, Scene, rollout, say
from lab.settings import CHECKOUT, NETNS, places
from lab.steps import StepFailedError


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


def show_world() -> None:
    """Print what every system shows."""
    for system, entries in sorted(world.snapshot().items()):
        say("\n".join([system, *(f"  {entry}" for entry in sorted(entries))]))


def by_hand(name: str) -> None:
    """Make a VM behind everybody's back."""
    enter = ["ip", "netns", "exec", NETNS, sys.executable, "-m", "lab.demo.by_hand", name]
    subprocess.run(enter, check=True, cwd=CHECKOUT)


def lose_answer() -> None:
    """Let the next `instantiate` have its effect and its answer get lost."""
    switches = ("-m", "lab.opennebula.switches", "--socket")
    admin = str(places().of("opennebula") / "admin.sock")
    fault = ("set", "lose-answer", "one.template.instantiate", "--times", "1")
    subprocess.run([sys.executable, *switches, admin, *fault], check=True, cwd=CHECKOUT)


def actions(rest: Sequence[str]) -> dict[str, Callable[[], object]]:
    """Return what each command does, `up` apart, which has an opinion on the outcome."""
    return {
        "down": lambda: Scene().down(),
        "rollout": lambda: rollout(Beside().client(), **params(rest)),
        "kill": lambda: say(f"killed {faults.kill_process(Beside().supervisor, rest[0])}"),
        "lose-answer": lose_answer,
        "by-hand": lambda: by_hand(rest[0]),
        "world": show_world,
    }


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m lab.demo", description=__doc__)
    parser.add_argument("command", choices=["up", *actions(())])
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    if os.geteuid() != 0:
        say("the demo needs root, as the lab does: put `sudo` in front")
        return 1
    os.umask(0o022)  # the account `lab` reads what root writes; secrets say who may
    try:
        if given.command == "up":
            return up()
        actions(given.rest)[given.command]()
    except (DemoError, StepFailedError, TimeoutError, subprocess.CalledProcessError) as error:
        say(f"{error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
