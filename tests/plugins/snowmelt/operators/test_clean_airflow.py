"""Airflow's own tables and logs."""

from __future__ import annotations

import json
import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from airflow.configuration import AIRFLOW_HOME
from airflow.sdk.bases.operator import ExecutorSafeguard

import snowmelt
from snowmelt.errors import Missing, SnowmeltError
from snowmelt.operators.clean_airflow import CleanLogs, CleanTables, environment
from tests.plugins.snowmelt.kit import context

FORM: dict[str, Any] = {
    "keep_runs_days": 30,
    "keep_logs_days": 30,
    "airflow_db": "airflow_itself",
}


@pytest.fixture(autouse=True)
def outside_of_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {
        "conn_type": "postgres",
        "host": "db.example.org",
        "port": 5432,
        "login": "airflow",
        "password": "p@ss/word",
        "schema": "airflow",
        "extra": {"sslmode": "verify-full", "sslrootcert": "/etc/ssl/db.pem", "keepalives": 1},
    }
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_ITSELF", json.dumps(value))


class Ran:
    """Stands in for the process."""

    def __init__(self) -> None:
        self.command: list[str] = []
        self.env: dict[str, str] = {}
        self.code = 0

    def __call__(self, command: list[str], *, env: dict[str, str], **_: Any) -> Any:
        self.command, self.env = command, env
        return subprocess.CompletedProcess(command, self.code, stdout="first\nno such table")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    made = Ran()
    monkeypatch.setattr(subprocess, "run", made)
    return made


@pytest.mark.usefixtures("connection")
def test_the_process_gets_the_database_and_the_command_line_does_not(ran: Ran) -> None:
    CleanTables(task_id="t").execute(context(**FORM))

    url, _, options = ran.env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].partition("?")
    assert url == "postgresql+psycopg2://airflow:p%40ss%2Fword@db.example.org:5432/airflow"
    assert parse_qs(options) == {
        "sslmode": ["verify-full"],
        "sslrootcert": ["/etc/ssl/db.pem"],
        "keepalives": ["1"],
    }
    assert ran.command[1:3] == ["-m", "snowmelt.airflow_tables"]
    assert datetime.fromisoformat(ran.command[3]) < datetime.now(UTC) - timedelta(days=29)
    assert not [word for word in ran.command if "p@ss" in word or "p%40" in word]


def test_what_makes_a_process_a_task_is_left_behind() -> None:
    task = {
        "PATH": "/bin",
        "AIRFLOW__CORE__FERNET_KEY": "f",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "airflow-db-not-allowed:///",
        "_AIRFLOW_PROCESS_CONTEXT": "client",
        "__AIRFLOW_SUPERVISOR_FD": "7",
    }

    assert environment(task, "sqlite:///a.db") == {
        "PATH": "/bin",
        "AIRFLOW__CORE__FERNET_KEY": "f",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:///a.db",
        "PYTHONPATH": f"{AIRFLOW_HOME}/config:{Path(snowmelt.__file__).parents[1]}",
    }


def test_the_process_finds_us_after_the_settings_of_the_site() -> None:
    """Airflow's plugins folder is not on the path of a process that is not Airflow's."""
    found = environment({"PYTHONPATH": "/theirs"}, "sqlite:///a.db")["PYTHONPATH"].split(":")

    assert found[:2] == ["/theirs", f"{AIRFLOW_HOME}/config"]
    assert (Path(found[2]) / "snowmelt/airflow_tables.py").exists()


@pytest.mark.usefixtures("connection")
def test_a_command_that_fails_fails_the_task_with_its_last_words(ran: Ran) -> None:
    ran.code = 1

    with pytest.raises(SnowmeltError, match="no such table"):
        CleanTables(task_id="t").execute(context(**FORM))


def test_without_the_connection_it_says_what_is_needed(ran: Ran) -> None:
    with pytest.raises(Missing, match="airflow_itself"):
        CleanTables(task_id="t").execute(context(**FORM))
    assert not ran.command


def test_a_connection_that_is_no_database_is_refused(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_ITSELF", json.dumps({"conn_type": "http"}))

    with pytest.raises(Missing, match="no database"):
        CleanTables(task_id="t").execute(context(**FORM))


def log(folder: Path, name: str, days_old: float) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("words")
    moment = time.time() - days_old * 86400
    os.utime(path, (moment, moment))
    return path


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path / "logs"))
    return tmp_path / "logs"


def clean() -> None:
    CleanLogs(task_id="t").execute(context(**FORM))


def test_old_logs_go_with_the_folders_that_this_empties(logs: Path) -> None:
    old = log(logs, "dag_id=a/run_id=1/task_id=t/attempt=1.log", 31)
    young = log(logs, "dag_id=a/run_id=2/task_id=t/attempt=1.log", 29)
    clean()

    assert not old.exists()
    assert young.exists()
    assert not (logs / "dag_id=a" / "run_id=1").exists()


def test_what_is_no_log_stays(logs: Path) -> None:
    kept = log(logs, "keep.txt", 99)
    clean()

    assert kept.exists()


def test_what_a_link_leads_to_stays(logs: Path, tmp_path: Path) -> None:
    outside = log(tmp_path, "elsewhere/precious.log", 99)
    logs.mkdir()
    (logs / "latest.log").symlink_to(outside)
    (logs / "folder").symlink_to(outside.parent)
    clean()

    assert outside.exists()


def test_a_folder_that_is_not_there_is_clean(logs: Path) -> None:
    clean()

    assert not logs.exists()
