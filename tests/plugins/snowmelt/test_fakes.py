"""The fakes have the very methods of the hooks."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from snowmelt.hooks.balancer import Balancer
from snowmelt.hooks.monitoring import Monitoring
from snowmelt.hooks.nameserver import NameServerHook
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.hooks.puppetdb import PuppetDbHook
from tests.plugins.snowmelt.fake_machines import FakeOpenNebula, FakePuppetCa, FakePuppetDb
from tests.plugins.snowmelt.fakes import FakeBalancer, FakeMonitoring, FakeNameServer

PAIRS = [
    (OpenNebulaHook, FakeOpenNebula),
    (PuppetCaHook, FakePuppetCa),
    (PuppetDbHook, FakePuppetDb),
    (NameServerHook, FakeNameServer),
    (Balancer, FakeBalancer),
    (Monitoring, FakeMonitoring),
]


def _verbs(kind: type[Any]) -> list[str]:
    public = {name: found for name, found in vars(kind).items() if not name.startswith("_")}
    return [
        name for name, found in public.items() if callable(found) or isinstance(found, property)
    ]


@pytest.mark.parametrize(
    ("real", "fake", "name"), [(real, fake, n) for real, fake in PAIRS for n in _verbs(fake)]
)
def test_a_fake_verb_is_called_as_the_real_one(real: type[Any], fake: type[Any], name: str) -> None:
    ours, theirs = getattr(fake, name), getattr(real, name)
    if isinstance(ours, property):
        ours, theirs = ours.fget, getattr(theirs, "func", None) or theirs.fget

    assert inspect.signature(ours) == inspect.signature(theirs)
