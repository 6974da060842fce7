"""From HAProxy's tables to members (its management guide, 9.1 "CSV format")."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from typing import Literal

from include.facts import Member

State = Literal["up", "down", "starting", "drain", "maint"]
Row = Mapping[str, str]

NOT_CHECKED = ("INI", "")  # check_status before the first check
_NOT_SERVERS = frozenset({"FRONTEND", "BACKEND"})
_KEY = re.compile(r" key=(?P<key>[A-Za-z0-9_.-]+) use=.*\bserver_key=(?P<server>\S+)")
_ENTRY = re.compile(r" use=(?P<use>\d+) exp=(?P<left_ms>\d+) .*\bserver_key=(?P<server>\S+)")


def rows_of(stat: str, pool: str) -> dict[str, Row] | None:
    """Return the servers of a pool by name from `show stat`, or None when there is no such pool."""
    return all_rows(stat).get(pool)


def all_rows(stat: str) -> dict[str, dict[str, Row]]:
    """Return the servers of every pool by name from `show stat`; a pool may have none."""
    rows = list(csv.DictReader(stat.lstrip("# ").splitlines()))
    pools: dict[str, dict[str, Row]] = {
        row["pxname"]: {} for row in rows if row["svname"] == "BACKEND"
    }
    for row in rows:
        if row["svname"] not in _NOT_SERVERS and row["pxname"] in pools:
            pools[row["pxname"]][row["svname"]] = row
    return pools


def used_sessions(table: str, expire_s: float, idle_s: float) -> Counter[str]:
    """Count stick-table entries per server that were used within *idle_s*.

    HAProxy shows only the time an entry has left, so its last use is *expire_s* minus that.
    """
    count: Counter[str] = Counter()
    for line in table.splitlines():
        entry = _ENTRY.search(line)
        if entry and _in_use(int(entry["use"]), int(entry["left_ms"]), expire_s, idle_s):
            count[entry["server"]] += 1
    return count


def sticky_keys(table: str, name: str) -> list[str]:
    """Return the keys of the stick-table entries that point at a server.

    Keys are cookies, so anybody may have chosen them: what could end a command is left out.
    """
    entries = (_KEY.search(line) for line in table.splitlines())
    return [entry["key"] for entry in entries if entry and entry["server"] == name]


def _in_use(use: int, left_ms: int, expire_s: float, idle_s: float) -> bool:
    return use > 0 or expire_s - left_ms / 1000 < idle_s


def member(row: Row, sessions: int) -> Member:
    """Return one server row as a member."""
    address, _, port = row["addr"].rpartition(":")
    answers = ("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other")
    troubles = ("hrsp_5xx", "econ", "eresp", "wretr")
    return Member(
        pool=row["pxname"],
        name=row["svname"],
        address=address.strip("[]"),
        port=int(port or 0),
        state=_state(row["status"], row["check_status"], row["weight"]),
        since_s=_sum(row, ("lastchg",)),
        connections=_sum(row, ("scur",)),
        sessions=sessions,
        requests=_sum(row, answers),
        errors=_sum(row, troubles),
    )


def _state(status: str, check_status: str, weight: str) -> State:
    words: dict[str, State] = {"MAINT": "maint", "DRAIN": "drain", "NOLB": "drain", "no": "up"}
    first = status.split(" ")[0]
    if first in words:  # "no check": it takes part, and nobody looks at it
        return words[first]
    # "DOWN 1/2": the first good check was there, one more to go.
    if check_status in NOT_CHECKED or status.startswith("DOWN "):
        return "starting"
    if first != "UP":
        return "down"
    return "drain" if weight == "0" else "up"  # drained, and then reloaded with that weight


def _sum(row: Row, columns: tuple[str, ...]) -> int:
    return sum(int(row[column] or 0) for column in columns)
