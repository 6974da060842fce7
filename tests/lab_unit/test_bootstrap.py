"""The cloud is filled by steps that look first: whatever was interrupted is gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import bootstrap
from lab.settings import Places
from tests.lab_opennebula.conftest import PASSWORD, Front, start


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """A front-end as oned is after its first start, where the lab's would be."""
    found = start(tmp_path / "one")
    monkeypatch.setattr(bootstrap, "SERVICES_IP", "127.0.0.1")
    monkeypatch.setattr(bootstrap, "PORT", found.port)
    yield found
    found.server.stop()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A lab with the passwords that root makes up."""
    found = Places(state=tmp_path / "lab", cache=tmp_path / "cache")
    found.secrets.mkdir(parents=True)
    (found.secrets / "oneadmin").write_text(PASSWORD)
    (found.secrets / "opennebula").write_text("the product's")
    return found


def filled(front: Front) -> dict[str, Any]:
    """Return what is in the cloud, as far as the product meets it."""
    world = front.server.world
    return {
        "hosts": [host.name for host in world.hosts],
        "images": [image.name for image in world.images],
        "networks": [network.name for network in world.vnets],
        "templates": [(template.name, template.perms) for template in world.templates],
        "users": [user.name for user in world.users],
        "rules": sorted((rule.user, rule.resource, rule.rights) for rule in world.rules),
    }


def test_a_second_time_finds_everything(front: Front, places: Places, tmp_path: Path) -> None:
    assert bootstrap.fill(places, tmp_path) is None
    first = filled(front)

    assert bootstrap.fill(places, tmp_path) == "already filled"

    assert filled(front) == first
    assert ("snowmelt-vm", [1, 1, 0, 0, 0, 0, 1, 0, 0]) in first["templates"]


@pytest.mark.parametrize(
    ("method", "which"),
    [
        ("one.host.allocate", 1),
        ("one.image.allocate", 1),
        ("one.template.allocate", 1),  # what others may do with it is said after that
        ("one.group.allocate", 1),
        ("one.user.allocate", 1),  # its rules are made after that
        ("one.acl.addrule", 2),
    ],
)
def test_interrupted_it_is_gone_on_with(
    front: Front, places: Places, tmp_path: Path, method: str, which: int
) -> None:
    """lab-up was killed right after one of its calls had had its effect."""
    front.switches.set("lose-answer", method, times=which)
    for _ in range(which):
        with pytest.raises(Exception, match=r".*"):
            bootstrap.fill(places, tmp_path)

    bootstrap.fill(places, tmp_path)

    whole = filled(front)
    assert whole["hosts"] == ["host-a", "host-b"]
    assert whole["images"] == ["debian-12"]
    assert whole["networks"] == ["lab"]
    assert whole["templates"] == [("snowmelt-vm", [1, 1, 0, 0, 0, 0, 1, 0, 0])]
    assert whole["users"].count("snowmelt") == 1
    product = next(user for user in front.server.world.users if user.name == "snowmelt")
    its = [rule for rule in whole["rules"] if rule[0] & 0xFFFFFFFF == product.id]
    assert len(its) == len(set(its)) == len(bootstrap.RULES) + 1
