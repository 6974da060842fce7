"""Airflow in a folder of the test run's own: no user's settings, no database, no examples."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

# before anything imports airflow: it reads its settings at import
HOME = tempfile.mkdtemp(prefix="snowmelt-tests-")


@atexit.register
def _leave_nothing(made_by: int = os.getpid()) -> None:
    if os.getpid() == made_by:  # no forked task takes it away
        shutil.rmtree(HOME, ignore_errors=True)


os.environ["AIRFLOW_HOME"] = HOME
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(__file__).parents[1] / "dags")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"


@pytest.fixture(autouse=True)
def connections_are_asked_for() -> None:
    """Forget what hooks of other tests have read; a test without hooks imports none for this."""
    if hooks := sys.modules.get("snowmelt.hooks.connection"):
        hooks.forget_connections()
