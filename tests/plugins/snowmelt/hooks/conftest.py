"""Connections for hooks, and servers on loopback for them to talk to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.plugins.snowmelt.hooks.fake_one import FakeOne

Connect = Callable[..., str]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Return a function that makes an Airflow Connection and returns its id."""

    def make(conn_type: str, **fields: Any) -> str:
        value = json.dumps({"conn_type": conn_type, **fields})
        monkeypatch.setenv(f"AIRFLOW_CONN_TEST_{conn_type.upper()}", value)
        return f"test_{conn_type}"

    return make


@pytest.fixture
def one() -> Iterator[FakeOne]:
    """Yield a front-end that answers what it is told to."""
    server = FakeOne()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
