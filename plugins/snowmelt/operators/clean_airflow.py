"""Keep Airflow itself small: its tables and its logs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.configuration import AIRFLOW_HOME, conf
from airflow.sdk import BaseHook, BaseOperator
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy.engine import URL

import snowmelt
from include.state import outdated
from snowmelt.errors import Missing, SnowmeltError

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

_DRIVERS = {"postgres": "postgresql+psycopg2", "mysql": "mysql+mysqldb", "sqlite": "sqlite"}
_LAST_LINES = 5
_MODULE = "snowmelt.airflow_tables"
_PLUGINS = Path(snowmelt.__file__).parents[1]


class CleanTables(BaseOperator):
    """Run `snowmelt.airflow_tables` in a process of its own.

    A task has no access to Airflow's database, on purpose. This one gets it by a Connection that
    names the database: who may not have it there leaves the Connection out and runs the command
    elsewhere.
    """

    def execute(self, context: Context) -> None:
        params = context["params"]
        before = datetime.now(UTC) - timedelta(days=params["keep_runs_days"])
        done = subprocess.run(
            command(before),
            env=environment(os.environ, database(params["airflow_db"])),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        for line in done.stdout.splitlines():
            self.log.info("%s", line)
        if done.returncode:
            last = " / ".join(done.stdout.splitlines()[-_LAST_LINES:])
            raise SnowmeltError(f"{_MODULE} ended with {done.returncode}: {last}")


class CleanLogs(BaseOperator):
    """Remove log files that are older than they are kept, and the folders that this empties."""

    def execute(self, context: Context) -> None:
        folder = Path(conf.get("logging", "base_log_folder"))
        days = context["params"]["keep_logs_days"]
        old = outdated(_files(folder), days, datetime.now(UTC))
        for path in old:
            Path(path).unlink(missing_ok=True)
            _prune(Path(path).parent, folder)
        self.log.info("removed %s log files over %s days old from %s", len(old), days, folder)


def command(before: datetime) -> list[str]:
    """Return the command; the database is no part of it."""
    return [sys.executable, "-m", _MODULE, before.isoformat(timespec="seconds")]


def environment(ours: Mapping[str, str], url: str) -> dict[str, str]:
    """Return a task's environment with the database in it, and without what makes it a task."""
    kept = {key: value for key, value in ours.items() if not key.startswith(("_AIRFLOW", "__"))}
    # A task finds us in Airflow's plugins folder; a process of its own does so by this. The site's
    # own airflow_local_settings come before ours, as they do for Airflow.
    folders = (ours.get("PYTHONPATH"), f"{AIRFLOW_HOME}/config", str(_PLUGINS))
    path = os.pathsep.join(filter(None, folders))
    return {**kept, "PYTHONPATH": path, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}


def database(conn_id: str) -> str:
    """Return the address of the database that a Connection names."""
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise Missing(
            f"connection {conn_id} is not there: it names Airflow's own database, which a task"
            " cannot reach otherwise (docs/how-to/state.md)"
        ) from error
    return _url(connection)


def _url(connection: Connection) -> str:
    driver = _DRIVERS.get(str(connection.conn_type))
    if driver is None:
        raise Missing(f"connection {connection.conn_id} is no database of {', '.join(_DRIVERS)}")
    url = URL.create(
        driver,
        username=connection.login,
        password=connection.password,
        host=connection.host or None,
        port=connection.port,
        database=connection.schema,
        query={key: str(value) for key, value in connection.extra_dejson.items()},  # its TLS
    )
    return url.render_as_string(hide_password=False)


def _files(folder: Path) -> Iterator[tuple[str, float]]:
    """Yield every log below *folder*, but none that a link leads to elsewhere."""
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            if ".log" in name and not path.is_symlink():
                yield str(path), path.stat().st_mtime


def _prune(folder: Path, top: Path) -> None:
    while folder != top and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
