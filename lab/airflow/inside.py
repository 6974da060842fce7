"""Run a program where Airflow lives: `ip netns exec … python -m lab.airflow.inside SRC DST -- …`.

The checkout may lie below a directory that the user `lab` cannot enter (/root has mode 0700). A
bind mount makes it visible at a path that he can reach. `ip netns exec` has given us a mount
namespace of our own, so that nobody else sees the mount and it ends with the last process in it.
"""

from __future__ import annotations

import os
import subprocess
import sys


def main() -> None:
    """Mount *SRC* read-only at *DST* and become the program after `--`."""
    source, target, dashes, *program = sys.argv[1:]
    if dashes != "--" or not program:
        raise SystemExit("usage: python -m lab.airflow.inside SRC DST -- PROGRAM …")
    subprocess.run(["mount", "--bind", source, target], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", target], check=True)
    os.chdir("/")
    os.execvp(program[0], program)  # noqa: S606 — becoming the program is the point


if __name__ == "__main__":
    main()
