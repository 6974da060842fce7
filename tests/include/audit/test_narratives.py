"""Each golden file is an audit that a person can read: every kind of orphan and of drift."""

from __future__ import annotations

import pytest

from tests.include.audit.narratives import FOLDER, STORIES, told


@pytest.mark.parametrize("name", STORIES)
def test_the_audit_finds_as_told(name: str) -> None:
    """After a wanted change: `python -m tests.include.audit.narratives`, and read the diff."""
    assert told(name) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_every_golden_file_is_still_a_story() -> None:
    """A file whose story is gone proves nothing."""
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(STORIES)
