"""The tests of the rotation move the nightly start out of their way."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.catalogue.fleet import load_fleet
from tests.lab import fleet


def test_the_start_is_half_a_day_away_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the time is when they begin."""
    file = tmp_path / "fleet.yaml"
    shutil.copy(fleet.CATALOGUE / "fleet.yaml", file)
    monkeypatch.setattr(fleet, "CATALOGUE", tmp_path)
    before, now = file.read_text(), datetime.now(UTC)

    with fleet.started_at_another_hour():
        moved = load_fleet(file)

    assert timedelta(hours=11.9) < moved.next_start(now) - now < timedelta(hours=12.1)
    assert moved.rotation.duration == load_fleet(file).rotation.duration
    assert file.read_text() == before
