"""The bench's cloud in this process, with waits of milliseconds."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab.bench.cloud import Cloud
from lab.bench.guests import Waits


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One cloud for a file of tests."""
    found = Cloud(tmp_path_factory.mktemp("cloud"), Waits().divided(200), vms=10, services=2)
    found.start()
    yield found
    found.stop()


@pytest.fixture
def cloud(running: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The same, with the product's Connections to it, and counting from zero."""
    for conn_id, entry in running.connections().items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(entry))
    running.reset()
    return running
