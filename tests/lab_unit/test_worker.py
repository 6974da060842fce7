"""The program that works by the clock."""

from __future__ import annotations

import time
from pathlib import Path

from tests.lab_unit.programs import Client, Start, needs_ruby, start

__all__ = ["start"]
pytestmark = needs_ruby


def rounds(worker: Client) -> int:
    """How often it says that it has taken stock."""
    return int(worker.get("/health")[1].split()[4])


def test_it_takes_stock_again_and_again(start: Start, tmp_path: Path) -> None:
    """And leaves the last count where it was told to."""
    ledger = tmp_path / "ledger"
    worker = start("worker", release="1.1", every=0.05, ledger=ledger)

    first = rounds(worker)
    time.sleep(0.3)

    assert rounds(worker) > first
    assert ledger.read_text().split()[1] == "1.1"
    assert worker.get("/version") == (200, "1.1")


def test_monitoring_hears_when_it_has_stopped(start: Start, tmp_path: Path) -> None:
    """A worker that runs and does nothing is a fault."""
    worker = start("worker", every=0.05, late=4, ledger=tmp_path / "ledger")
    assert worker.get("/health")[0] == 200

    (tmp_path / "ledger.new").mkdir()
    time.sleep(0.5)

    assert worker.get("/health")[0] == 503


def test_it_serves_nobody_else(start: Start, tmp_path: Path) -> None:
    """No page, no session."""
    worker = start("worker", ledger=tmp_path / "ledger")

    assert worker.get() == (404, "nobody is served here")
