"""`python -m snowmelt.airflow_tables MOMENT`: remove from Airflow's tables what is older.

It is `airflow db clean` for this use of Airflow, in a process that has Airflow's database: a task
has none (`operators/clean_airflow.py`).
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.api.common.delete_dag import delete_dag
from airflow.models.dag import DagModel
from airflow.sdk.exceptions import AirflowException
from airflow.utils.db_cleanup import _get_archived_table_names, config_dict, run_cleanup
from airflow.utils.session import create_session
from sqlalchemy import select

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# Its rows are never cleaned by age. Each names a DAG that is not there any more, and the last run
# of such a DAG stays, with its task instances that never began: these hold its version
# (task_instance.dag_version_id, ON DELETE RESTRICT), so that to delete the DAG fails, and with it
# the whole command, for ever (Airflow 3.3; apache/airflow#71864). `forget_dags` takes the runs too.
BY_HAND = "dag"

# A trial's VM is known as ours by the run of this DAG (`ours.rollouts_of`). They are few.
KEPT_RUNS = ["refresh_image"]

# Airflow 3.3 leaves rows of a DAG out by `dag_id`, also where a table has no such column, which
# fails, and where it may be empty: rows without a DAG would stay for ever.
_WITHOUT_DAG = ("asset_event", "deadline", "job", "log", "task_reschedule")


def clean(before: datetime) -> None:
    """Remove what is older, and our DAGs whose service has gone as long ago.

    Raises:
        RuntimeError: a table could not be cleaned; the others were.
    """
    forget_dags(before)
    for table in _WITHOUT_DAG:
        config_dict[table].dag_id_column = None
    run_cleanup(
        clean_before_timestamp=before,  # type: ignore[arg-type]  # it takes any datetime with a zone
        table_names=sorted(config_dict.keys() - {BY_HAND}),
        exclude_dag_ids=KEPT_RUNS,
        confirm=False,
        skip_archive=True,  # else rows would only move to other tables
        error_on_cleanup_failure=True,
    )
    with create_session() as session:
        tell_archives(session)


def forget_dags(before: datetime) -> None:
    """Delete the rollouts of services that have gone: a VM for one person leaves one behind."""
    for dag_id in gone_dags(before):
        try:
            _say(f"deleted DAG {dag_id}, whose service has gone: {delete_dag(dag_id)} rows")
        except AirflowException as error:  # a task of it still runs
            _say(f"DAG {dag_id} stays: {error}")


def gone_dags(before: datetime) -> list[str]:
    """Return our DAGs that no file has made since."""
    gone = (
        select(DagModel.dag_id)
        .where(DagModel.is_stale, DagModel.last_parsed_time < before)
        .where(DagModel.dag_id.startswith("rollout_", autoescape=True))
        .where(DagModel.relative_fileloc.endswith("rollout.py"))
    )
    with create_session() as session:
        return sorted(session.scalars(gone))


def tell_archives(session: Session) -> None:
    """Say which copies of rows there are: one that was killed half-way leaves its own behind.

    They are not dropped, as they may be somebody's archive.
    """
    if found := _get_archived_table_names(None, session):
        _say(f"copies of rows are left, for `airflow db drop-archived`: {', '.join(found)}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main() -> None:
    """Read the command line, and clean."""
    parser = argparse.ArgumentParser(prog="python -m snowmelt.airflow_tables", description=__doc__)
    parser.add_argument("before", help="with a time zone: 2026-10-25T00:00:00+00:00")
    before = datetime.fromisoformat(parser.parse_args().before)
    if before.tzinfo is None or before > datetime.now(UTC):
        parser.error(f"{before} has no time zone, or is not past")
    clean(before)


if __name__ == "__main__":
    main()
