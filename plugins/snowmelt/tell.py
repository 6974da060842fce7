"""Tell people of a run that has failed: what Airflow calls at the end of it (docs/adr/0042)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Context


def tell_failure(context: Context) -> None:
    """Let each notifier of `fleet.yaml` tell of it, in the dag-processor, once for each run."""
    # files of DAGs name this at each parse, and only a failure needs the rest
    from snowmelt.notify import notify

    notify(context)
