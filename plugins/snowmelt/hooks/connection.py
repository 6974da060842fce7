"""What the hooks read from their Airflow Connection, and the checks they share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from snowmelt.errors import Missing, Refused, SnowmeltError

# Seconds for (the connection, each read). No call of ours takes longer than 2 s on an idle
# system; 30 s lets a busy one answer and still ends long before a task's own deadline.
TIMEOUT = (5.0, 30.0)


# Each look of a trigger makes a hook of its own, and to fetch a Connection takes some messages to
# Airflow's supervisor: of 1,900 samples in looks at HAProxy 1,800 were that. So all hooks of one
# process share it for so many seconds. Then a changed one counts.
KEPT_S = 30.0


@dataclass(frozen=True, slots=True)
class _Known:
    connection: Connection = field(repr=False)
    extra: Mapping[str, Any] = field(repr=False)
    until: float


_kept: dict[str, _Known] = {}


def _known(conn_id: str) -> _Known:
    now, known = time.monotonic(), _kept.get(conn_id)
    if known is None or known.until <= now:
        found = _ask(conn_id)
        known = _Known(connection=found, extra=found.extra_dejson, until=now + KEPT_S)
        _kept[conn_id] = known
    return known


def _ask(conn_id: str) -> Connection:
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:  # or a secrets backend is away: so it is retried
        told = f"Airflow has no connection {conn_id}: make it, or mend `connections` of the service"
        raise SnowmeltError(told) from error


def forget_connections() -> None:
    """Ask Airflow again for each Connection, as tests have to."""
    _kept.clear()


class ConnectedHook(BaseHook):
    """A hook that is nothing but a conn_id until its first call."""

    conn_name_attr = "conn_id"

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    @property
    def connection(self) -> Connection:
        """The Airflow Connection, as it was at most `KEPT_S` ago."""
        return _known(self.conn_id).connection

    @property
    def extra(self) -> Mapping[str, Any]:
        """The Connection's extra."""
        return _known(self.conn_id).extra

    def host(self) -> str:
        """Return the connection's host; `Refused` when it has none."""
        if not self.connection.host:
            raise Refused(f"connection {self.conn_id} has no host")
        return str(self.connection.host)

    def option(self, key: str, default: str = "") -> str:
        """Return one extra of the connection as text; a form leaves empty fields as None."""
        value = self.extra.get(key)
        return default if value is None or value == "" else str(value)

    def number(self, key: str, default: float) -> float:
        """Return one extra as a number; `Refused` names the field when it is none."""
        text = self.option(key, str(default))
        try:
            return float(text)
        except ValueError as error:
            raise Refused(f"connection {self.conn_id}: {key} is {text!r}, not a number") from error

    def verify(self) -> bool | str:
        """Return how to check the server's certificate: against the system's CAs or a CA file."""
        key = "verify" if self.option("verify") else "ca_file"
        said = {"true": True, "false": False, "": True}.get(self.option(key).lower())
        return self.file(key) if said is None else said

    def file(self, key: str) -> str:
        """Return the path in one extra, "" when it names none; `Refused` when it is not readable.

        A library tells of it as of a connection that broke, with neither the file nor the field.
        """
        path = self.option(key)
        if path and not os.access(path, os.R_OK):
            told = f"cannot be read by Airflow's account (uid {os.getuid()}): is it there?"
            raise Refused(f"connection {self.conn_id}: {key} {path} {told}")
        return path


def tried(look: Callable[[], Any]) -> tuple[bool, str]:
    """Return what a form's Test button shows: whether *look* worked, and what it said."""
    try:
        return True, str(look())
    except SnowmeltError as error:
        return False, str(error)


def hook_for(conn_id: str, classes: Mapping[str, str], kind: str) -> Any:
    """Return the hook of a Connection; *classes* maps its type to "module:class".

    `Missing` for a type that is not there. Modules are imported when they are needed: a worker
    that uses HAProxy loads no other balancer's client.
    """
    conn_type = str(_known(conn_id).connection.conn_type)
    if conn_type not in classes:
        known = ", ".join(sorted(classes))
        raise Missing(f"connection {conn_id} is of type {conn_type!r}, no {kind}; known: {known}")
    module, name = classes[conn_type].split(":")
    return getattr(import_module(module), name)(conn_id)
