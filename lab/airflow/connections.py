"""Give Airflow the lab's Connections through the REST API, as a person would in the UI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.airflow.client import Airflow


def body(conn_id: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request that makes a Connection of *entry*; `extra` travels as JSON text."""
    fields = ("conn_type", "host", "port", "schema", "login", "password", "description")
    made = {name: entry[name] for name in fields if entry.get(name) is not None}
    made["connection_id"] = conn_id
    if entry.get("extra"):
        made["extra"] = json.dumps(entry["extra"])
    return made


def bring(client: Airflow, file: Path) -> tuple[str, ...]:
    """Make or renew every Connection in *file* and return their ids; no file, no Connection."""
    if not file.exists():
        return ()
    entries: dict[str, dict[str, Any]] = json.loads(file.read_text())
    for conn_id, entry in entries.items():
        client.ensure_connection(body(conn_id, entry))
    return tuple(entries)


def tested(client: Airflow, file: Path) -> dict[str, str]:
    """Press the test button of every Connection in *file*: id -> what is wrong, only bad ones."""
    entries: dict[str, dict[str, Any]] = json.loads(file.read_text())
    answers = {name: client.test_connection(body(name, entry)) for name, entry in entries.items()}
    return {name: answer["message"] for name, answer in answers.items() if not answer["status"]}
