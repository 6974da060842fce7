"""State that does not grow: what is old goes from each system, and what is young stays."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from sqlalchemy import URL, Connection, text

from include.planner import rollout_id
from lab.airflow.beside import Beside
from lab.airflow.client import Airflow
from lab.airflow.database import connected
from lab.settings import UID, places
from snowmelt.hooks.puppet_ca import PuppetCaHook
from tests.lab.test_audit import ask_for_certificate
from tests.lab.test_hooks import Inside, connections, inside

__all__ = ["connections", "inside"]

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
DAG, OTHER = "clean_up", "expire_requests"
AGE = timedelta(days=40)
LEFT = "rollout_gone"
GONE = "shop-c2eanup-0.lab.test"  # a VM that a crash took, with its certificate left at the CA
TASKS = {
    *("clean_tables", "clean_logs", "clean_certificates", "clean_images"),
    *("check_revocation_lists", "check_puppetdb"),
}
OLDER = (
    "UPDATE dag_run SET start_date = start_date - :age, end_date = end_date - :age"
    " WHERE dag_id = :dag AND run_id = :run",
    "UPDATE task_instance SET start_date = start_date - :age, end_date = end_date - :age"
    " WHERE dag_id = :dag AND run_id = :run",
)


@pytest.fixture
def clean_up(airflow: Airflow) -> Iterator[Callable[..., dict[str, tuple[str, str]]]]:
    """`clean_up()` runs it to its end: task -> its state and its log."""
    airflow.wait_for_dag(DAG)
    airflow.send("PATCH", f"/dags/{DAG}", json={"is_paused": False})

    def run(**params: Any) -> dict[str, tuple[str, str]]:
        run_id = airflow.trigger(DAG, **params)
        airflow.wait_for_run(DAG, run_id, 600)
        return {
            task.step: (str(task.state), "\n".join(airflow.log(DAG, run_id, task)))
            for task in airflow.tasks(DAG, run_id)
        }

    yield run
    airflow.send("PATCH", f"/dags/{DAG}", json={"is_paused": True})


def ended_run(airflow: Airflow) -> str:
    run_id = airflow.trigger(OTHER)
    assert airflow.wait_for_run(OTHER, run_id, 300) == "success"
    return run_id


def address(connection: dict[str, Any]) -> str:
    url = URL.create(
        "postgresql+psycopg2",
        username=connection["login"],
        password=connection["password"],
        host=connection["host"],
        port=connection["port"],
        database=connection["schema"],
    )
    return url.render_as_string(hide_password=False)


def make_older(run_id: str, connection: dict[str, Any], logs: Path) -> None:
    """Let a run be one of 40 days ago: its rows, and the files of its logs."""
    with connected(address(connection), 30) as database:
        for change in OLDER:
            database.execute(text(change), {"age": AGE, "dag": OTHER, "run": run_id})
    then = time.time() - AGE.total_seconds()
    for file in logs.rglob("*.log"):
        os.utime(file, (then, then))


def test_old_runs_and_their_logs_go_and_young_ones_stay(
    airflow: Airflow,
    beside: Beside,
    inside: Inside,
    connections: dict[str, Any],
    clean_up: Callable[..., dict[str, tuple[str, str]]],
) -> None:
    old, young = ended_run(airflow), ended_run(airflow)
    logs = {run: beside.place.home / "logs" / f"dag_id={OTHER}" / f"run_id={run}"
            for run in (old, young)}  # fmt: skip
    assert all(any(folder.rglob("*.log")) for folder in logs.values())
    inside(lambda: make_older(old, connections["snowmelt_airflow_db"], logs[old]))

    told = clean_up()

    assert {name: state for name, (state, _) in told.items()} == dict.fromkeys(TASKS, "success")
    assert not airflow.exists(f"/dags/{OTHER}/dagRuns/{old}")
    assert airflow.exists(f"/dags/{OTHER}/dagRuns/{young}")
    assert not logs[old].exists()
    assert any(logs[young].rglob("*.log"))


def leave_dag(connection: dict[str, Any], like: str) -> None:
    """Leave the rollout of a service that went 40 days ago, with its last run.

    A step of it was skipped without a beginning, as a group that is mapped over nothing is; so it
    is not old for `airflow db clean`, and holds the version of its DAG.
    """
    version, gone = str(uuid4()), {"dag_id": LEFT}
    with connected(address(connection), 30) as database:
        then = {"is_stale": True, "last_parsed_time": datetime.now(UTC) - AGE}
        copy(database, "dag", "dag_id", OTHER, gone | then | {"relative_fileloc": "rollout.py"})
        found = text("SELECT dag_version_id FROM task_instance WHERE run_id = :run LIMIT 1")
        before = database.execute(found, {"run": like}).scalar_one()
        copy(database, "dag_version", "id", before, gone | {"id": version})
        run = {"start_date": datetime.now(UTC) - AGE, "created_dag_version_id": version}
        copy(database, "dag_run", "run_id", like, gone | run, without="id")
        step = {"id": str(uuid4()), "start_date": None, "dag_version_id": version}
        copy(database, "task_instance", "run_id", like, gone | step)


def copy(
    database: Connection, table: str, key: str, value: str, but: dict[str, Any], without: str = ""
) -> None:
    """Copy one row, *but* for some of its columns."""
    row = database.execute(
        text(f"SELECT * FROM {table} WHERE {key} = :value LIMIT 1"),  # noqa: S608 - names of ours
        {"value": value},
    ).mappings()
    kept = {name: found for name, found in row.one().items() if name != without} | but
    kept = {n: json.dumps(v) if isinstance(v, dict | list) else v for n, v in kept.items()}
    columns, values = ", ".join(kept), ", ".join(f":{name}" for name in kept)
    database.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), kept)  # noqa: S608


def rows(connection: dict[str, Any]) -> dict[str, int]:
    """Return what is left of that DAG: Airflow's API shows none that is stale."""
    with connected(address(connection), 30) as database:
        return {
            table: database.execute(
                text(f"SELECT count(*) FROM {table} WHERE dag_id = :dag"),  # noqa: S608
                {"dag": LEFT},
            ).scalar_one()
            for table in ("dag", "dag_run", "task_instance")
        }


def test_the_rollout_of_a_service_that_has_gone_goes_with_its_last_run(
    airflow: Airflow,
    inside: Inside,
    connections: dict[str, Any],
    clean_up: Callable[..., dict[str, tuple[str, str]]],
) -> None:
    """Airflow's own command fails at it, for ever (apache/airflow#71864)."""
    run = ended_run(airflow)
    connection = connections["snowmelt_airflow_db"]
    inside(lambda: leave_dag(connection, run))
    assert inside(lambda: rows(connection)) == {"dag": 1, "dag_run": 1, "task_instance": 1}

    state, log = clean_up()["clean_tables"]

    assert state == "success", log
    assert f"deleted DAG {LEFT}, whose service has gone" in log
    assert inside(lambda: rows(connection)) == {"dag": 0, "dag_run": 0, "task_instance": 0}
    assert airflow.exists(f"/dags/{OTHER}/dagRuns/{run}")


def leave_certificate(certname: str, expired_at: datetime) -> Path:
    """Have the CA hold a certificate that expired: signed with its key, dated back."""
    ca = next(places().of("puppet").rglob("ca_key.pem")).parent
    issuer = x509.load_pem_x509_certificates((ca / "ca_crt.pem").read_bytes())[0]
    signer = serialization.load_pem_private_key((ca / "ca_key.pem").read_bytes(), None)
    assert isinstance(signer, rsa.RSAPrivateKey)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, certname)]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(expired_at - timedelta(days=3))
        .not_valid_after(expired_at)
        .sign(signer, hashes.SHA256())
    )
    file = ca / "signed" / f"{certname}.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    shutil.chown(file, UID, UID)
    return file


def test_the_expired_certificate_of_a_vm_that_is_gone_goes(
    inside: Inside, clean_up: Callable[..., dict[str, tuple[str, str]]]
) -> None:
    file = leave_certificate(GONE, datetime.now(UTC) - timedelta(days=2))
    assert inside(lambda: PuppetCaHook().certificate(GONE)).state == "signed"
    others = inside(lambda: PuppetCaHook().certificates())

    state, log = clean_up()["clean_certificates"]

    assert state == "success"
    assert f"removed expired certificate of {GONE}" in log
    assert not file.exists()
    left = inside(lambda: PuppetCaHook().certificates())
    assert {each.certname for each in others} - {each.certname for each in left} == {GONE}


def test_a_revocation_list_that_has_grown_fails_its_check_and_nothing_else(
    inside: Inside, clean_up: Callable[..., dict[str, tuple[str, str]]]
) -> None:
    rollout = rollout_id("clean_up", uuid4().hex)  # a second run of this test signs others
    for slot in (0, 1):
        inside(partial(revoke, f"shop-{rollout}-{slot}.lab.test"))

    told = clean_up(max_revoked=1)

    state, log = told.pop("check_revocation_lists")
    assert state == "failed"
    assert "entries are more than 1" in log
    assert {state for state, _ in told.values()} == {"success"}


def revoke(certname: str) -> None:
    ask_for_certificate(certname)
    PuppetCaHook().sign(certname, 3600)
    PuppetCaHook().remove_certificate(certname, revoke=True)
