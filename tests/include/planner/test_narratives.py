"""Each golden file is a rollout that a person can read; together they are what the planner does."""

from __future__ import annotations

import pytest

from tests.include.planner.narratives import FOLDER, STORIES, told


@pytest.mark.parametrize("name", STORIES)
def test_the_rollout_goes_as_told(name: str) -> None:
    """After a wanted change: `python -m tests.include.planner.narratives`, and read the diff."""
    assert told(name) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_every_golden_file_is_still_a_story() -> None:
    """A file whose story is gone proves nothing."""
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(STORIES)
