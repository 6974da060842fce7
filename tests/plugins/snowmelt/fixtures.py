"""Fixtures of all tests that run the product on the cloud in memory."""

from __future__ import annotations

import importlib
import pkgutil
import socket
from typing import Any

import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard

import snowmelt.operators
import snowmelt.proof
import snowmelt.triggers
from tests.plugins.snowmelt.fakes import install
from tests.plugins.snowmelt.world import FakeWorld

for package in (snowmelt.operators, snowmelt.proof, snowmelt.triggers):
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(found.name)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail whoever opens a connection."""

    def refuse(self: socket.socket, address: Any) -> None:
        raise AssertionError(f"a connection to {address} in a unit test")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, no_network: None) -> FakeWorld:
    """Return an empty cloud that all hooks of the product lead to."""
    made = FakeWorld()
    install(monkeypatch, made)
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)
    return made


@pytest.fixture(params=[True, False], ids=["deferred", "in place"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    """Run the test in both modes of waiting."""
    return bool(request.param)
