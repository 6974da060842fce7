"""What an operator's timers do in the simulated year, and what the year measures."""

from __future__ import annotations

import os
import time
from pathlib import Path

from lab.year.clock import Clock
from lab.year.housekeeping import old_facts
from lab.year.sizes import tree

BEGAN = {day: 1000.0 + 10 * day for day in range(6)}  # a day takes ten seconds


def written(file: Path, at: float) -> Path:
    file.write_text("facts")
    os.utime(file, (at, at))
    return file


def test_cached_facts_go_when_nobody_wrote_them_for_three_days(tmp_path: Path) -> None:
    """Days of the simulated year, told by when each began."""
    old = written(tmp_path / "old.yaml", BEGAN[2] - 1)
    fresh = written(tmp_path / "fresh.yaml", BEGAN[2] + 1)

    old_facts(tmp_path, BEGAN, 5)

    assert not old.exists()
    assert fresh.exists()


def test_in_the_first_days_nothing_is_old(tmp_path: Path) -> None:
    """What was there before the first day stays."""
    there = written(tmp_path / "there.yaml", 1.0)

    old_facts(tmp_path, BEGAN, 2)

    assert there.exists()


def test_a_file_with_holes_counts_as_what_was_written(tmp_path: Path) -> None:
    """A database reserves room that it does not use."""
    with (tmp_path / "data.mdb").open("wb") as file:
        file.write(b"x" * 4096)
        file.truncate(50_000_000)
    (tmp_path / "small").write_text("12345")

    assert tree(tmp_path / "small") == 5
    assert 4096 <= tree(tmp_path / "data.mdb") < 1_000_000
    assert tree(tmp_path / "gone") == 0


def test_the_clock_is_a_file_that_says_how_far_ahead_it_is(tmp_path: Path) -> None:
    """Whole, or not at all: programs read it at any moment."""
    clock = Clock(tmp_path / "clock" / "offset")

    clock.to(17)
    began = time.monotonic()
    clock.wait()

    assert time.monotonic() - began > 2  # until the slowest program has looked at it
    assert (tmp_path / "clock" / "offset").read_text() == "+17d\n"
    assert [file.name for file in (tmp_path / "clock").iterdir()] == ["offset"]
