"""What the command line of the year refuses."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lab.settings import CHECKOUT


@pytest.mark.parametrize("days", ["30", "7"])
def test_a_last_day_that_is_not_after_the_first_is_refused(days: str) -> None:
    """A day compared with itself has never grown."""
    command = [sys.executable, "-m", "lab.year", "--days", days]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SNOWMELT")}
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, check=False, env=clean
    )

    assert done.returncode == 2
    assert f"--days {days}: the last day is compared with day 30 (--first)" in done.stderr
