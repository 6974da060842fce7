"""What the REST API of Airflow tells of a task: its instances, and the lines of its logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One task instance. `vm` is its rendered map index: the VM's name in a mapped group."""

    id: str  # the uuid that Airflow shows in the title of the task's process
    task_id: str
    map_index: int
    vm: str
    state: str | None
    try_number: int
    started: datetime | None
    ended: datetime | None
    queued: datetime | None

    @property
    def step(self) -> str:
        """The task's name without its groups."""
        return self.task_id.rpartition(".")[2]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def task_of(row: Mapping[str, Any]) -> Task:
    """Return the task instance in *row* of the API."""
    vm = row.get("rendered_map_index")
    return Task(
        id=row["id"],
        task_id=row["task_id"],
        map_index=row["map_index"],
        vm=vm if vm and row["map_index"] >= 0 and vm != str(row["map_index"]) else "",
        state=row["state"],
        try_number=row["try_number"],
        started=_moment(row["start_date"]),
        ended=_moment(row["end_date"]),
        queued=_moment(row["queued_when"]),
    )


def log_line(entry: str | Mapping[str, Any]) -> str:
    """Return one entry of a task's log as text, with the error that belongs to it."""
    if isinstance(entry, str):
        return entry
    details = entry.get("error_detail") or ()
    errors = [f"{part.get('exc_type')}: {part.get('exc_value')}" for part in details]
    return " ".join([str(entry.get("event", "")), *errors]).strip()
