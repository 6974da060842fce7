"""Say why a task failed in the last line of its log, where people look first."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

# under this XCom key a front door finds the reason of a failed rollout
WHY = "why"


def say_why(context: Context) -> None:
    """Log the reason of a failure in one line; Airflow's own traceback stands above it."""
    error = context.get("exception")
    ti = context["ti"]
    why = " | ".join(str(error).split("\n")) if error else "?"
    if error:  # the callback of a killed task runs where nothing can be pushed
        with suppress(Exception):  # nothing may follow the last line
            ti.xcom_push(key=WHY, value=why)
    log.error("%s failed: %s", ti.task_id, why)
