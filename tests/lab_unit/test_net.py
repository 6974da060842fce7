"""The lab's network, without making one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import net
from lab.settings import NETNS


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

    net.up()

    assert asked == [f"-n {NETNS} addr add 198.18.0.81/24 dev br0"]


def test_a_network_with_all_its_addresses_is_left_alone(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second lab-up changes nothing."""
    monkeypatch.setattr(net, "_present", lambda: set(net._ADDRESSES))

    net.up()

    assert asked == []
