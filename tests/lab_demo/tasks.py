"""Task instances as the API would give them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lab.airflow.rows import Task

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _moment(at: float | None) -> datetime | None:
    return None if at is None else NOON + timedelta(seconds=at)


def task(
    task_id: str, *, index: int = -1, vm: str = "", state: str | None = "success",
    start: float | None = 0.0, end: float | None = 1.0, tries: int = 1,
) -> Task:  # fmt: skip
    """Return a task instance; times are seconds after noon."""
    return Task(
        id=f"{task_id}-{index}", task_id=task_id, map_index=index, vm=vm, state=state,
        try_number=tries, started=_moment(start), ended=_moment(end),
        queued=_moment(start),
    )  # fmt: skip
