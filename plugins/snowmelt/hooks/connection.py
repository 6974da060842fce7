"""What the hooks read from their Airflow Connection, and the checks they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import import_module
from typing import Any

from airflow.sdk import BaseHook, Connection

from snowmelt.errors import Missing, Refused, SnowmeltError

# Seconds for (the connection, each read). No call of ours takes longer than 2 s on an idle
# system; 30 s lets a busy one answer and still ends long before a task's own deadline.
TIMEOUT = (5.0, 30.0)


class ConnectedHook(BaseHook):
    """A hook that is nothing but a conn_id until its first call."""

    conn_name_attr = "conn_id"

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    @cached_property
    def connection(self) -> Connection:
        """The Airflow Connection, looked up once."""
        return self.get_connection(self.conn_id)

    def host(self) -> str:
        """Return the connection's host; `Refused` when it has none."""
        if not self.connection.host:
            raise Refused(f"connection {self.conn_id} has no host")
        return str(self.connection.host)

    def option(self, key: str, default: str = "") -> str:
        """Return one extra of the connection as text; a form leaves empty fields as None."""
        value = self.connection.extra_dejson.get(key)
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
        text = self.option("verify", self.option("ca_file", "true"))
        return {"true": True, "false": False}.get(text.lower(), text)


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
    conn_type = str(BaseHook.get_connection(conn_id).conn_type)
    if conn_type not in classes:
        known = ", ".join(sorted(classes))
        raise Missing(f"connection {conn_id} is of type {conn_type!r}, no {kind}; known: {known}")
    module, name = classes[conn_type].split(":")
    return getattr(import_module(module), name)(conn_id)
