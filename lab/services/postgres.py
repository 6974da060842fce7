"""PostgreSQL 15: the database of PuppetDB, and of Airflow where it runs beside the lab."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from lab.services.base import Service, folders, listens, secret, write
from lab.settings import Places
from lab.supervisor import Program, environment

BIN = Path("/usr/lib/postgresql/15/bin")
_ACCOUNT = "postgres"  # initdb refuses root, and an account that is not in /etc/passwd

# Crash safety is given up for speed: this database dies with the lab.
_SETTINGS = """
listen_addresses = '127.0.0.1'
port = 5432
unix_socket_directories = '{run}'
password_encryption = 'scram-sha-256'
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 64MB
max_connections = 150
max_wal_size = 256MB
autovacuum_naptime = 30s
"""
_ACCESS = """
local all postgres peer
host puppetdb puppetdb 127.0.0.1/32 scram-sha-256
host airflow airflow 127.0.0.1/32 scram-sha-256
"""


# The passwords are ours (URL-safe base64): nothing in them needs quoting.
_MAKE = """
select 'create role {name} login password $${password}$$'
where not exists (select from pg_roles where rolname = '{name}')\\gexec
select 'create database {name} owner {name}'
where not exists (select from pg_database where datname = '{name}')\\gexec
"""
_SETTLE = """
\\connect puppetdb
create extension if not exists pg_trgm;
"""


def service(places: Places) -> Service:
    """Ready means: both databases are there."""
    home = places.of("postgres")
    return Service(
        program=Program(
            name="postgres",
            command=[str(BIN / "postgres"), "-D", str(home / "data")],
            user=_ACCOUNT,
            stop_signal="INT",  # fast shutdown: do not wait for clients
        ),
        prepare=lambda: _prepare(places),
        ready=lambda: listens("127.0.0.1", 5432) and _databases(places),
    )


def _as_postgres(command: list[str], feed: str | None = None) -> subprocess.CompletedProcess[str]:
    prefix = ["setpriv", "--reuid", _ACCOUNT, "--regid", _ACCOUNT, "--init-groups"]
    return subprocess.run(
        [*prefix, *environment({}), *command],
        input=feed,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )


def _prepare(places: Places) -> None:
    home = places.of("postgres")
    shutil.rmtree(home / "data", ignore_errors=True)  # of a try that was interrupted
    folders(home / "run")
    account = pwd.getpwnam(_ACCOUNT)
    for path in (home, home / "run"):
        os.chown(path, account.pw_uid, account.pw_gid)
    options = ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    options += ["--auth-local=peer", "--auth-host=scram-sha-256"]
    done = _as_postgres([str(BIN / "initdb"), "-D", str(home / "data"), *options])
    if done.returncode:
        raise RuntimeError(f"initdb: {done.stderr.strip()}")
    with (home / "data" / "postgresql.conf").open("a") as file:
        file.write(_SETTINGS.format(run=home / "run"))
    access = home / "data" / "pg_hba.conf"
    write(access, _ACCESS, 0o600)
    os.chown(access, account.pw_uid, account.pw_gid)


def _databases(places: Places) -> bool:
    """Make what is missing; true once both databases are there."""
    script = "".join(
        _MAKE.format(name=name, password=secret(places.secrets / f"postgres-{name}"))
        for name in ("puppetdb", "airflow")
    )
    socket = str(places.of("postgres") / "run")
    command = ["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", socket, "postgres"]
    return _as_postgres(command, feed=script + _SETTLE).returncode == 0
