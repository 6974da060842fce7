"""What all hooks share: the Connection, and for how long one is taken for true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseHook

from snowmelt.errors import Missing, Refused, SnowmeltError
from snowmelt.hooks import connection
from snowmelt.hooks.connection import KEPT_S, ConnectedHook, hook_for
from tests.plugins.snowmelt.hooks.conftest import Connect


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which Connections Airflow was asked for."""
    found, ask = list[str](), BaseHook.get_connection

    def counted(conn_id: str) -> Any:
        found.append(conn_id)
        return ask(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", counted)
    return found


def test_all_hooks_of_a_process_share_one_connection(connect: Connect, asked: list[str]) -> None:
    conn = connect("icinga2", host="a", extra={"verify": "false"})
    for _ in range(10):
        hook = ConnectedHook(conn)
        assert (hook.host(), hook.verify(), hook.option("none")) == ("a", False, "")

    assert asked == [conn]


def test_a_connection_that_was_changed_counts_soon(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, now = ConnectedHook(connect("icinga2", host="old")), 1000.0
    monkeypatch.setattr("snowmelt.hooks.connection.time.monotonic", lambda: now)
    assert hook.host() == "old"
    monkeypatch.setenv("AIRFLOW_CONN_TEST_ICINGA2", '{"conn_type": "icinga2", "host": "new"}')
    assert hook.host() == "old"
    now += KEPT_S

    assert hook.host() == "new"


def test_two_connections_are_two(connect: Connect) -> None:
    ours, theirs = connect("icinga2", host="a"), connect("haproxy", host="b")

    assert (ConnectedHook(ours).host(), ConnectedHook(theirs).host()) == ("a", "b")


def test_a_secret_is_in_no_text_of_what_is_kept(connect: Connect) -> None:
    conn = connect("icinga2", host="a", password="s3cret", extra={"token": "s3cret"})
    ConnectedHook(conn).host()

    assert "s3cret" not in repr(connection._kept)


def test_a_connection_without_a_host_names_itself(connect: Connect) -> None:
    with pytest.raises(Refused, match="test_icinga2 has no host"):
        ConnectedHook(connect("icinga2")).host()


def test_a_connection_that_is_not_there_is_named_and_tried_again() -> None:
    """Where a secrets backend does not answer, Airflow says the same."""
    with pytest.raises(SnowmeltError, match="no connection one_eu: make it") as failed:
        ConnectedHook("one_eu").host()
    assert not isinstance(failed.value, Refused)


@pytest.mark.parametrize("key", ["verify", "ca_file"])
def test_a_ca_file_that_is_not_there_is_named_with_its_field(connect: Connect, key: str) -> None:
    hook = ConnectedHook(connect("icinga2", host="a", extra={key: "/etc/nowhere.pem"}))

    with pytest.raises(Refused, match=f"test_icinga2: {key} /etc/nowhere.pem cannot be read"):
        hook.verify()


@pytest.mark.parametrize(
    ("extra", "expected"),
    [({}, True), ({"verify": "False"}, False), ({"verify": "true", "ca_file": "/x"}, True)],
    ids=str,
)
def test_without_a_file_the_systems_cas_hold(
    connect: Connect, extra: dict[str, str], expected: bool
) -> None:
    assert ConnectedHook(connect("icinga2", host="a", extra=extra)).verify() is expected


def test_a_ca_file_is_used(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    hook = ConnectedHook(connect("icinga2", host="a", extra={"ca_file": str(tmp_path / "ca.pem")}))

    assert hook.verify() == str(tmp_path / "ca.pem")


def test_a_connection_of_another_type_is_told(connect: Connect) -> None:
    with pytest.raises(Missing, match="'icinga2', no balancer; known: haproxy"):
        hook_for(connect("icinga2"), {"haproxy": "m:C"}, "balancer")
