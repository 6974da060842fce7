"""The lab's network, without making one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import net
from lab.settings import NETNS

STATE = Path("/var/lib/first")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the program `ip` is told to do."""
    commands: list[str] = []
    monkeypatch.setattr(net, "_ip", lambda *words: commands.append(" ".join(words)))
    monkeypatch.setattr(net, "_RESOLV", tmp_path)
    monkeypatch.setattr(net, "down", lambda: commands.append("down"))
    return commands


def test_an_address_that_came_later_is_added_to_a_running_network(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs in it goes on running."""
    monkeypatch.setattr(net, "_present", lambda: {"198.18.0.1", "198.18.0.80"})

    net.up(STATE)

    assert asked == [f"-n {NETNS} addr add 198.18.0.81/24 dev br0"]


def test_a_network_with_all_its_addresses_is_left_alone(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second lab-up changes nothing."""
    monkeypatch.setattr(net, "_present", lambda: set(net._ADDRESSES))

    net.up(STATE)

    assert asked == []


def test_a_network_that_another_lab_made_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two labs in two folders with one name: the second must not end the first."""
    monkeypatch.setattr(net, "_RESOLV", tmp_path)
    net._resolver(STATE)

    assert net.foreign(STATE) == ""
    assert f"is of the lab in {STATE}" in net.foreign(Path("/var/lib/second"))


def test_a_network_that_no_lab_made_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(net, "_RESOLV", tmp_path / "etc")
    monkeypatch.setattr(net, "_NAMED", tmp_path / "named")
    assert net.foreign(STATE) == ""

    (tmp_path / "named").touch()

    assert "that no lab has made" in net.foreign(STATE)


def test_programs_that_run_in_it_never_see_its_resolver_empty(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file is laid over theirs, so it is only written when it says something else."""
    monkeypatch.setattr(net, "_RESOLV", tmp_path)
    net._resolver(STATE)
    before = (tmp_path / "resolv.conf").stat()

    net._resolver(STATE)

    assert (tmp_path / "resolv.conf").stat().st_mtime_ns == before.st_mtime_ns
