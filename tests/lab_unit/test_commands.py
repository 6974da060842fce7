"""`python -m lab up`, on a lab or an Airflow that other code has started."""

from __future__ import annotations

import os
import pwd
from contextlib import nullcontext
from pathlib import Path

import pytest

import lab.__main__ as command
from lab import code
from lab import down as lab_down
from lab import up as lab_up
from lab.airflow import beside
from lab.airflow.place import Place
from lab.settings import CHECKOUT, NETNS, account_lacks


class Airflow:
    """Airflow, of which is only known with which code it runs, if it does."""

    def __init__(self, done: list[str], *, outdated: bool) -> None:
        self.done, self._outdated = done, outdated

    def outdated(self) -> bool:
        return self._outdated

    def start(self) -> Airflow:
        self.done.append("Airflow anew")
        return self

    def close(self) -> None:
        """A client has a connection."""


@pytest.mark.parametrize(
    ("lab", "airflow", "words", "expected"),
    [
        ("same", "same", ["up"], ["up"]),
        ("same", "same", ["up", "--fresh"], ["up"]),
        ("other", "same", ["up"], ["up"]),  # somebody works with it: it only says so
        ("other", "same", ["up", "--fresh"], ["down", "up"]),
        ("same", "other", ["up"], ["up", "Airflow anew"]),
        ("same", "other", ["up", "--fresh"], ["down", "up"]),
        ("half gone", "same", ["up"], ["down", "up"]),
    ],
)
def test_what_is_done_about_what_is_there(
    lab: str,
    airflow: str,
    words: list[str],
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    found = Airflow(done, outdated=airflow == "other")

    def take_down(_: object) -> None:
        done.append("down")
        found._outdated = False

    monkeypatch.setattr(command, "alone", lambda _: nullcontext())
    monkeypatch.setattr(beside, "Beside", lambda: found)
    monkeypatch.setattr(lab_up, "half_gone", lambda _: lab == "half gone")
    monkeypatch.setattr(lab_up, "outdated", lambda _: lab == "other")
    monkeypatch.setattr(lab_up, "up", lambda _: done.append("up"))
    monkeypatch.setattr(lab_down, "down", take_down)
    monkeypatch.setattr("sys.argv", ["lab", *words])

    assert command.main() == 0
    assert done == expected


class Supervisor:
    """Airflow's supervisord, running or not."""

    def __init__(self, *, runs: bool) -> None:
        self.runs = runs

    def answers(self) -> bool:
        return self.runs


@pytest.fixture
def airflow(tmp_path: Path) -> beside.Beside:
    place = Place(state=tmp_path, cache=tmp_path, netns=NETNS, checkout=CHECKOUT, dags="dags")
    place.run.mkdir(parents=True)
    return beside.Beside(place)


@pytest.mark.parametrize(
    ("runs", "started_with", "outdated"),
    [
        (True, code.airflow(), False),
        (True, "/srv/other 0123456789abcdef", True),
        (True, None, True),  # of a version that did not write it down
        (False, "/srv/other 0123456789abcdef", False),
    ],
)
def test_airflow_is_outdated_when_it_runs_with_other_code(
    airflow: beside.Beside,
    monkeypatch: pytest.MonkeyPatch,
    runs: bool,
    started_with: str | None,
    outdated: bool,
) -> None:
    monkeypatch.setattr(airflow, "supervisor", Supervisor(runs=runs))
    if started_with is not None:
        (airflow.place.run / "code").write_text(started_with)

    assert airflow.outdated() is outdated


def account(uid: int) -> pwd.struct_passwd:
    return pwd.struct_passwd(("lab", "x", uid, uid, "", "/home/lab", "/bin/sh"))


def test_the_account_of_the_services_has_to_be_the_labs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's of the same name would be given all files."""
    monkeypatch.setattr(pwd, "getpwnam", lambda _: account(7001))
    assert account_lacks() == ""

    monkeypatch.setattr(pwd, "getpwnam", lambda _: account(1007))
    assert "has the uid 1007" in account_lacks()


def test_without_the_account_it_is_said_how_to_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: str) -> pwd.struct_passwd:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwnam", nobody)

    assert "run `make setup`" in account_lacks()


def test_files_of_a_careful_person_can_be_read_by_the_services(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a umask of 077 the lab's account could not read its own configuration."""
    before = os.umask(0o077)
    monkeypatch.setattr(command, "_COMMANDS", {"status": lambda _: 0})
    monkeypatch.setattr("sys.argv", ["lab", "status"])
    try:
        command.main()
        assert os.umask(0o077) == 0o022
    finally:
        os.umask(before)
