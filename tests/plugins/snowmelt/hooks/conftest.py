"""Connections for hooks, and servers on loopback for them to talk to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from snowmelt.hooks.connection import forget_connections
from snowmelt.hooks.opennebula import OpenNebulaHook
from tests.plugins.snowmelt.hooks.fake_one import FakeOne
from tests.plugins.snowmelt.hooks.tls import Authority, Site, https

Connect = Callable[..., str]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Return a function that makes an Airflow Connection and returns its id.

    A second one of a type takes an id of its own, or it takes the place of the first.
    """

    def make(conn_type: str, conn_id: str = "", **fields: Any) -> str:
        conn_id = conn_id or f"test_{conn_type}"
        value = json.dumps({"conn_type": conn_type, **fields})
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", value)
        forget_connections()
        return conn_id

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


@pytest.fixture
def cloud_hook(one: FakeOne, connect: Connect) -> OpenNebulaHook:
    """Return a hook that talks to *one*."""
    conn_id = connect("opennebula", host=one.uri, login="airflow", password="pw")
    return OpenNebulaHook(conn_id)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return a certificate authority of this test alone."""
    return Authority(tmp_path)


@pytest.fixture
def site(authority: Authority) -> Iterator[Site]:
    """Yield an HTTPS server that lets in who has a certificate of *authority*."""
    with https(authority, ask_certificate=True) as running:
        yield running


@pytest.fixture
def secured(authority: Authority) -> dict[str, str]:
    """Return the extras of a connection with a client certificate."""
    certificate, key = authority.issue("airflow")
    return {
        "ca_file": str(authority.ca_file),
        "cert_file": str(certificate),
        "key_file": str(key),
    }
