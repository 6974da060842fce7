"""Wait for Airflow's database and set what a killed scheduler makes necessary. Runs inside."""

from __future__ import annotations

import os
import time

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

PATIENCE_S = 30.0


def connected(url: str, seconds: float) -> Connection:
    """Return a connection, tried again for *seconds*.

    Raises:
        OperationalError: the database did not answer in time.
    """
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    deadline = time.monotonic() + seconds
    while True:
        try:
            return engine.connect()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def main() -> None:
    """End transactions that were left open: they hold the locks of a killed scheduler."""
    with connected(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"], PATIENCE_S) as connection:
        limit = "ALTER DATABASE airflow SET idle_in_transaction_session_timeout = '15s'"
        connection.execute(text(limit))


if __name__ == "__main__":
    main()
