"""Say why a task failed in the last line of its log, where people look first."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import redact

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

# under this XCom key a front door finds the reason of a failed rollout
WHY = "why"

# and under this one a step that followed a rollout says which run's failure it only repeats
TOLD_BY = "told_by"


def in_one_line(error: str | BaseException) -> str:
    """Return what an error says, without its line breaks."""
    return " | ".join(str(error).split("\n"))


def say_why(context: Context) -> None:
    """Log the reason of a failure in one line; Airflow's own traceback stands above it."""
    error = context.get("exception")
    ti = context["ti"]
    # it is kept where no log filter is: what this task has read of Connections must not be in it
    why = str(redact(in_one_line(error))) if error else "?"
    if error:  # the callback of a killed task runs where nothing can be pushed
        with suppress(Exception):  # nothing may follow the last line
            ti.xcom_push(key=WHY, value=why)
    log.error("%s failed: %s", ti.task_id, why)
