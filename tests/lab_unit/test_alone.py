"""Two commands on one lab: the second waits, and says for whom."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lab.airflow.wait import until
from lab.alone import alone
from lab.settings import CHECKOUT

HOLD = """
import sys, time
from pathlib import Path
from lab.alone import alone
with alone("lab up", Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def held(folder: Path) -> subprocess.Popen[str]:
    """Return a process that has the lab; it lets go when its input ends."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    holder = subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_who_comes_second_waits_and_says_for_whom(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entered, told = threading.Event(), ""

    def second() -> None:
        with alone("lab down", tmp_path):
            entered.set()

    def says() -> bool:
        nonlocal told
        told += capsys.readouterr().out
        return "\n" in told

    with held(tmp_path) as first:
        waiting = threading.Thread(target=second)
        waiting.start()
        until(says, 10, "it says for whom it waits")
        assert not entered.is_set()
        first.communicate("")
        waiting.join(10)

    assert told == f"waiting for `lab up`, process {first.pid}\n"
    assert entered.is_set()
    assert list(tmp_path.iterdir()) == []


def test_nobody_waits_for_one_that_was_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with held(tmp_path) as first:
        first.kill()
    assert list(tmp_path.iterdir())

    with alone("lab up", tmp_path):
        (file,) = tmp_path.iterdir()
        assert file.read_text() == f"`lab up`, process {os.getpid()}"

    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []
