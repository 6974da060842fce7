"""`python -m lab.year --days 365`: what each system keeps after a year, as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

# The year has a network and a folder of its own, which `lab.settings` reads when it is imported.
os.environ["SNOWMELT_LAB_NETNS"] = "snowmelt-year"
os.environ["SNOWMELT_LAB_STATE"] = os.environ.get("SNOWMELT_YEAR", "/var/lib/snowmelt-year")
os.environ["SNOWMELT_LAB_CACHE"] = f"{os.environ['SNOWMELT_LAB_STATE']}-cache"

from lab.ended import take_down_first
from lab.settings import CHECKOUT, places
from lab.steps import StepFailedError
from lab.year.live import live
from lab.year.report import LIMIT, grew, grown_tables, table


def options() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="python -m lab.year", description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--names", type=int, default=50, help="VMs that are rebuilt each day")
    parser.add_argument("--first", type=int, default=30, help="the day to compare the last with")
    parser.add_argument("--minutes", type=float, help="begin no day after so long")
    parser.add_argument("--lists-every", type=int, default=90, help="days; 0: never prune them")
    parser.add_argument("--untended", action="store_true", help="leave out what operators do")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "var" / "year" / "report.json")
    given = parser.parse_args()
    if given.days <= given.first:
        parser.error(
            f"--days {given.days}: the last day is compared with day {given.first} (--first),"
            " so it has to be a later one"
        )
    return given


def main() -> int:
    """Live the year and report. A system that grew is said so; it is no failure of the command."""
    os.umask(0o022)  # services of the account `lab` read what root writes
    take_down_first()
    given = options()
    try:
        found = live(places(), given, lambda text: print(text, flush=True))
    except StepFailedError as error:
        print(f"the year did not pass: {error}", file=sys.stderr)
        return 1
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found["systems"], found["first_day"], found["last_day"]))
    print(grown_tables(found["tables"]))
    names = grew(found["systems"])
    print(f"more than {LIMIT} times day {found['first_day']}: {', '.join(names) or 'none'}")
    print(f"written to {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
