"""Say why a task failed in the last line of its log, where people look first."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


def say_why(context: Context) -> None:
    """Log the reason of a failure in one line; Airflow's own traceback stands above it."""
    error = context.get("exception")
    ti = context["ti"]
    log.error("%s failed: %s", ti.task_id, " | ".join(str(error).split("\n")) if error else "?")
