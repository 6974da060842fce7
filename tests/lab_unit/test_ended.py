"""A bench or a year that is ended from outside takes down what it has brought up."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.settings import CHECKOUT

PROGRAM = """
import signal, sys, time
from pathlib import Path
from lab.ended import take_down_first
from lab.steps import Progress
take_down_first()
try:
    print("up", flush=True)
    time.sleep(30)
finally:
    signal.raise_signal(signal.SIGTERM)  # somebody is in a hurry
    Progress().say("services stopped")
    print("down", flush=True)
    Path(sys.argv[1]).write_text("down")
"""


@pytest.fixture(autouse=True)
def hang_ups_count() -> Iterator[None]:
    """What ignores a hang-up leaves that to its children: under nohup all tests would be such."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_takes_down_whatever_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    mark = tmp_path / "mark"
    command = [sys.executable, "-c", PROGRAM, str(mark)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        process.wait(10)

    assert mark.read_text() == "down"


def test_it_takes_down_when_its_terminal_is_gone(tmp_path: Path) -> None:
    """An ssh session that was dropped: to print anything fails from then on."""
    mark = tmp_path / "mark"
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", "--wait", sys.executable, "-c", PROGRAM, str(mark)]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        assert os.read(ours, 100).startswith(b"up")
        os.close(ours)
        process.wait(10)

    assert mark.read_text() == "down"


def test_what_nohup_started_goes_on_after_a_hang_up(tmp_path: Path) -> None:
    code = (
        "import signal; from lab.ended import take_down_first; take_down_first();"
        "signal.raise_signal(signal.SIGHUP); print('goes on')"
    )
    command = ["sh", "-c", 'trap "" HUP; exec "$0" -c "$1"', sys.executable, code]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)

    assert done.stdout == "goes on\n"
