"""HAProxy's tables, taken apart: texts as 2.6.12 printed them."""

from __future__ import annotations

import pytest

from snowmelt.hooks.haproxy_text import member, rows_of, sticky_keys, used_sessions

COLUMNS = (
    "pxname,svname,scur,status,weight,lastchg,check_status,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,"
    "hrsp_5xx,hrsp_other,econ,eresp,wretr,addr"
)
TABLE = """# table: shop, type: string, size:102400, used:3
0x55c636cf9690: key=255ff0 use=0 exp=1799845 server_id=1 server_key=vm1
0x55c636cf9691: key=255ff1 use=0 exp=1700000 server_id=1 server_key=vm1
0x55c636cf9692: key=255ff2 use=1 exp=100 server_id=2 server_key=vm2
0x55c636cf9693: key=255ff3 use=0 exp=1799999
"""


def stat(status: str, check: str, **columns: str) -> str:
    values = {
        "pxname": "shop",
        "svname": "vm1",
        "status": status,
        "check_status": check,
        "addr": "198.18.0.11:8080",
        **columns,
    }
    row = ",".join(values.get(column, "") for column in COLUMNS.split(","))
    return f"# {COLUMNS}\nshop,BACKEND\n{row}\nother,BACKEND\n\n"


@pytest.mark.parametrize(
    ("status", "check", "state"),
    [
        ("UP", "L7OK", "up"),
        ("UP 1/2", "L7STS", "up"),
        ("UP 1/2", "INI", "starting"),
        ("DOWN", "INI", "starting"),
        ("DOWN 1/2", "L7OK", "starting"),
        ("DOWN", "L4CON", "down"),
        ("DRAIN", "L7OK", "drain"),
        ("DRAIN 1/2", "L7STS", "drain"),
        ("MAINT", "", "maint"),
        ("MAINT (resolution)", "", "maint"),
        ("no check", "", "up"),
    ],
)
def test_a_status_becomes_a_state(status: str, check: str, state: str) -> None:
    """A server that leaves maintenance is UP before anybody has checked it."""
    rows = rows_of(stat(status, check), "shop")

    assert rows is not None
    assert member(rows["vm1"], 0).state == state


def test_a_member_with_weight_0_is_drained() -> None:
    """HAProxy calls it UP."""
    rows = rows_of(stat("UP", "L7OK", weight="0"), "shop")

    assert rows is not None
    assert member(rows["vm1"], 0).state == "drain"


def test_troubles_are_added_up() -> None:
    """5xx, failed connections, broken answers and retries; empty columns are none."""
    text = stat("UP", "L7OK", hrsp_2xx="90", hrsp_5xx="3", econ="1", eresp="2", wretr="4")
    rows = rows_of(text, "shop")

    assert rows is not None
    seen = member(rows["vm1"], 7)
    assert (seen.requests, seen.errors, seen.sessions) == (93, 10, 7)
    assert (seen.address, seen.port) == ("198.18.0.11", 8080)


def test_an_unknown_pool_is_no_empty_pool() -> None:
    """A pool without servers has a row of its own."""
    assert rows_of(stat("UP", "L7OK"), "other") == {}
    assert rows_of(stat("UP", "L7OK"), "nowhere") is None


def test_a_session_counts_until_it_was_idle_long_enough() -> None:
    """Last use is the table's expire minus the time left; one in use counts in any case."""
    assert used_sessions(TABLE, expire_s=1800, idle_s=60) == {"vm1": 1, "vm2": 1}
    assert used_sessions(TABLE, expire_s=1800, idle_s=120) == {"vm1": 2, "vm2": 1}


def test_a_table_that_keeps_longer_than_configured_here_looks_busy() -> None:
    """The safe side: nobody is cut off, the drain ends at its deadline."""
    assert used_sessions(TABLE, expire_s=600, idle_s=60)["vm1"] == 2


def test_a_cookie_that_would_end_the_command_is_never_put_into_one() -> None:
    """Keys of the stick-table are cookies: anybody can choose them."""
    table = "\n".join(
        [
            "# table: shop, type: string, size:1024, used:3",
            "0x1: key=0a1b use=0 exp=100 server_id=1 server_key=vm0",
            "0x2: key=a;shutdown use=0 exp=100 server_id=1 server_key=vm0",
            "0x3: key=ffff use=0 exp=100 server_id=2 server_key=vm1",
        ]
    )

    assert sticky_keys(table, "vm0") == ["0a1b"]
