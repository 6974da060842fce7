"""The product in the simulated year: `python -m tests.year --names 50`, started by `lab.year`.

Reads the number of a day per line, lives that day against the systems that its Connections name,
and writes what it did as one line of JSON. It lives with the tests because `lab` does not import
the product.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from tests.year.day import Fleet


def main() -> None:
    """Live the days that are asked for, until nobody asks any more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=50)
    fleet = Fleet(parser.parse_args().names)
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # Airflow logs to stdout, which is for our answers alone
        for line in sys.stdin:
            answers.write(json.dumps(fleet.live(int(line))) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
