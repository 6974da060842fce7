"""The cloud in memory, for all tests below."""

from __future__ import annotations

import pytest

from tests.plugins.snowmelt.fixtures import deferrable, no_network, world
from tests.plugins.snowmelt.imaging import one_image

__all__ = ["deferrable", "no_network", "one_image", "world"]


@pytest.fixture(autouse=True)
def failed_steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what a trigger hears from Airflow: the steps of its run that have failed, none yet."""
    failed: list[str] = []
    monkeypatch.setattr("snowmelt.triggers.turn.failed_steps", lambda *_: tuple(failed))
    return failed
