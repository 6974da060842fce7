"""Durations in the words of people."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.catalogue.types import read_duration, write_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("24h", 86400), ("7d", 604800)]
)
def test_a_duration_has_a_number_and_a_unit(text: str, seconds: int) -> None:
    """Nothing else is needed in a catalogue."""
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["90", "", "1.5h", "-1s", "1h30m", "s", "9999999d", 90, None])
def test_anything_else_is_refused_with_examples(text: object) -> None:
    """A bare number least of all: seconds or minutes?"""
    with pytest.raises(ValueError, match="90s"):
        read_duration(text)


@pytest.mark.parametrize("text", ["90s", "10m", "36h", "7d"])
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    """In the largest unit that leaves no remainder."""
    assert write_duration(read_duration(text)) == text
