"""The clients as a process: they end with whoever started them, and their totals stay apart."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.airflow.wait import until
from lab.load.process import Load, clicking
from lab.settings import CHECKOUT

NOBODY = ("--url", "http://127.0.0.1:1/", "--clients", "1", "--think", "0.05")
LEAVE = """
import os, sys
from pathlib import Path
from lab.load.process import Load
load = Load(Path(sys.argv[1]), *sys.argv[2:], netns="")
load.start()
print(load._process.pid, flush=True)
os._exit(9)
"""


def test_its_totals_are_there_while_it_clicks_and_whole_afterwards(tmp_path: Path) -> None:
    load = Load(tmp_path / "load.json", *NOBODY, netns="")
    load.start()
    try:
        assert not load.totals()["final"]
    finally:
        load.stop()

    assert load.totals()["final"]
    assert [file.name for file in tmp_path.iterdir()] == ["load.json"]


def test_clients_end_when_who_started_them_is_gone(tmp_path: Path) -> None:
    """A demo whose terminal was closed, or that was killed, leaves nobody clicking."""
    out = tmp_path / "load.json"
    command = [sys.executable, "-c", LEAVE, str(out), *NOBODY]
    left = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=False)
    process = Path(f"/proc/{int(left.stdout)}/cmdline")

    until(lambda: not process.exists() or not process.read_bytes(), 20, "they have ended")

    assert not out.exists()  # their last totals are in a file of their own
    (last,) = tmp_path.iterdir()
    assert json.loads(last.read_text())["final"]


def test_the_totals_of_clients_that_lost_their_demo_are_not_the_next_ones(tmp_path: Path) -> None:
    out = tmp_path / "load.json"
    out.write_text('{"requests": 1}')
    (tmp_path / ".load.1.json").write_text('{"requests": 1}')
    load = Load(out, *NOBODY, netns="")
    load.start()
    try:
        (tmp_path / ".load.1.json").write_text('{"requests": 2}')  # they end only now
    finally:
        load.stop()

    assert json.loads(out.read_text())["final"]


def test_clients_that_do_not_begin_are_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Load] = []

    def start(load: Load) -> None:
        load._process = subprocess.Popen(["sleep", "60"])
        started.append(load)
        raise TimeoutError("waited in vain")

    monkeypatch.setattr(Load, "start", start)
    with pytest.raises(TimeoutError, match="in vain"), clicking(tmp_path / "load.json"):
        pass

    (load,) = started
    assert load._process is None
    assert list(tmp_path.iterdir()) == []
