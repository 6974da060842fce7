"""The commands that the demo ends with can be copied as they stand."""

from __future__ import annotations

import os

import pytest

from lab.demo import __main__ as demo
from lab.demo.hints import hints, sudo

URL = "http://127.0.0.1:8080"


def commands(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if "lab.demo" in line]


def test_root_runs_them_as_they_are() -> None:
    found = commands(hints(URL, "secret", sudo({})))

    assert len(found) == 8
    assert ".venv/bin/python -m lab.demo rollout release=1.2" in found
    assert "sudo" not in " ".join(found)


def test_who_came_by_sudo_needs_it_for_each_of_them() -> None:
    found = commands(hints(URL, "secret", sudo({"SUDO_USER": "jane"})))

    assert "sudo .venv/bin/python -m lab.demo rollout release=1.2" in found
    assert all(line.count("sudo .venv") == line.count("lab.demo") for line in found)
    (behind,) = (line for line in found if line.endswith("&"))
    assert behind.startswith("sudo -v; sudo ")  # it could not ask for the password later


def test_a_lab_elsewhere_is_named_to_sudo() -> None:
    moved = sudo({"SUDO_USER": "jane", "SNOWMELT_LAB_STATE": "/srv/lab", "HOME": "/"})

    assert moved == "sudo --preserve-env=SNOWMELT_LAB_STATE "


def test_without_root_the_demo_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("sys.argv", ["lab.demo", "world"])

    assert demo.main() == 1
    assert "needs root" in capsys.readouterr().out
