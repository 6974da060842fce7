"""`python -m lab.bench --vms 100`: what a rollout and a rotation cost, as a table and as JSON."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path

# The bench has a network and a folder of its own, which `lab.settings` reads when it is imported.
os.environ["SNOWMELT_LAB_NETNS"] = "snowmelt-bench"
os.environ["SNOWMELT_LAB_STATE"] = os.environ.get("SNOWMELT_BENCH", "/var/lib/snowmelt-bench")
os.environ["SNOWMELT_LAB_CACHE"] = f"{os.environ['SNOWMELT_LAB_STATE']}-cache"

from lab.bench.measure import Bench
from lab.bench.report import table, whole, write
from lab.ended import take_down_first
from lab.settings import CHECKOUT

PARTS = ("parse", "deploy", "rotation")


def options() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="python -m lab.bench", description=__doc__)
    parser.add_argument("--vms", type=int, default=1000, help="in the rotation; 4 per service")
    parser.add_argument("--speed", type=float, default=1.0, help="divides every real wait")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--out", type=Path, default=CHECKOUT / "var" / "bench" / "report.json")
    return parser.parse_args()


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"{datetime.now().astimezone():%H:%M:%S} {text}", flush=True)


def main() -> int:
    """Measure and report, also what little there is when something fails.

    The figures are no test: a slow machine does not fail, a part that did not get to its end does.
    """
    os.umask(0o022)  # services of the account `lab` read what root writes
    take_down_first()
    given = options()
    machine = {"cpus": os.cpu_count(), "load_before": os.getloadavg()}
    say(f"{machine['cpus']} cores, load {os.getloadavg()[0]:.1f} before it began")
    logs = given.out.parent / f"{given.out.stem}-logs"
    bench = Bench(given.vms, given.speed, say, logs)
    try:
        bench.measure(given.parts)
    finally:
        asked = {"vms": given.vms, "speed": given.speed, **machine}
        found = whole({**asked, **bench.found}, bench.errors)
        write(given.out, found)
        print(table(found))
        print(f"written to {given.out}")
        if logs.is_dir():
            print(f"what Airflow's processes and tasks said is in {logs}")
    return 1 if bench.errors else 0


if __name__ == "__main__":
    sys.exit(main())
