"""HAProxy through its runtime API (2.6 and later)."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from pathlib import Path

from include.facts import Member
from include.verdict import Outcome
from snowmelt.errors import (
    Busy,
    Conflict,
    Missing,
    NotAllowed,
    Refused,
    SnowmeltError,
)
from snowmelt.hooks.balancer import Balancer
from snowmelt.hooks.connection import tried
from snowmelt.hooks.haproxy_socket import TlsAddress, ask, unix
from snowmelt.hooks.haproxy_text import (
    NOT_CHECKED,
    Row,
    all_rows,
    member,
    rows_of,
    sticky_keys,
    used_sessions,
)

# Checked every 0.5 s, two good ones make it up. Weight 0 until its state is known, see `_joining`.
_CHECK = "check inter 500ms fastinter 200ms rise 2 fall 2 weight 0 pool-purge-delay 1s"
_WEIGHT = 100
# A name becomes part of a command line, where ";" and line ends begin the next command.
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]+")
_OPTIONS = re.compile(r"[^;<>\\\n\r]*")
_ON_ONE_LINE = 200  # commands: a line has to fit into tune.bufsize, 16 KiB
_SERVERS_TOO = 2 | 4  # bits of `show stat <name> <type> <server>`: the backend and its servers
_CLEAR = "clear table"  # not logged: the keys are the cookies of people
# What `ask` gets back when a command did its work.
_DONE = frozenset({"", "New server registered.", "Server deleted."})


def error_for(text: str) -> SnowmeltError:
    """Return our error for an answer. The only place that knows HAProxy's texts.

    Its runtime API has no codes; these are the texts of 2.6, each met in test_haproxy.py or read
    in its source (src/server.c, src/cli.c).
    """
    kind = next((kind for start, kind in _TEXTS if text.startswith(start)), Refused)
    return kind(f"HAProxy: {text.splitlines()[0]}")


_TEXTS: tuple[tuple[str, type[SnowmeltError]], ...] = (
    ("No such backend", Missing),
    ("No such server", Missing),
    ("No such table", Missing),
    ("Already exists a server", Conflict),
    ("Only servers in maintenance", Busy),
    ("Server still has connections", Busy),
    ("Entry currently in use", Busy),
    ("Permission denied", NotAllowed),
)


class HaproxyHook(Balancer):
    """One HAProxy. Connection: either extra `socket` (a path), or host and port of the runtime
    API behind mutual TLS with extras `ca_file`, `cert_file`, `key_file`. Extra `stick_expire_s`
    is the `expire` of the pools' stick-tables (default 1800 s): HAProxy does not tell it, and
    with a number larger than the truth a session in use would be taken for idle. Extra
    `server_options` is what new members get beside their check: no `default-server` reaches them
    (management.txt, "add server").
    """

    default_conn_name = "snowmelt_balancer"
    conn_type = "haproxy"
    hook_name = "HAProxy"

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__(conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """Ask for the version, as the connection form's Test button does."""
        return tried(lambda: f"HAProxy {ask(self._connect, 'show version').strip()}")

    def members(self, pool: str, idle_s: float | None = None) -> tuple[Member, ...]:
        """Return all members, by name, from one `show stat`; sessions from one `show table`."""
        rows, sessions = self._rows(pool), Counter[str]()
        if idle_s is not None:
            sessions = used_sessions(self._table(pool), self._stick_expire_s, idle_s)
        return tuple(member(rows[name], sessions[name]) for name in sorted(rows))

    def members_of(self, pools: Collection[str]) -> tuple[Member, ...]:
        """Return the members of several pools from one `show stat`."""
        found = all_rows(ask(self._connect, "show stat"))
        rows = (found.get(pool, {}) for pool in sorted(pools))
        return tuple(member(each[name], 0) for each in rows for name in sorted(each))

    def ensure_member(self, pool: str, name: str, address: str, port: int) -> Outcome:
        """Add a member, or make one that is drained or in maintenance take part again."""
        row = self._rows(pool).get(_checked(name))
        if row is None:
            return self._add(pool, name, address, port)
        seen = member(row, 0)
        if (seen.address, seen.port) != (address, port):
            there = f"{seen.address}:{seen.port}"
            raise Conflict(f"{name} in pool {pool} is {there}, wanted {address}:{port}")
        return self.undrain(pool, name)

    def drain(self, pool: str, name: str) -> Outcome:
        """Give it no new sessions; whoever has its cookie keeps coming."""
        if self._row(pool, name)["status"].startswith("DRAIN"):
            return Outcome.UNCHANGED
        self._do(_set(pool, name, "state drain"))
        return Outcome.REMOVED

    def undrain(self, pool: str, name: str) -> Outcome:
        """Give it new sessions again; out of maintenance only after a good check."""
        row = self._row(pool, name)
        state = member(row, 0).state
        if state == "up":
            return Outcome.UNCHANGED
        if state == "maint" or row["check_status"] in NOT_CHECKED:
            self._do(*_joining(pool, name))
        else:  # a drained server that fails its check shows as down, so this is for all the rest
            # A configuration written while it was drained has it with weight 0.
            self._do(_set(pool, name, f"weight {_WEIGHT}"), _set(pool, name, "state ready"))
        return Outcome.CREATED

    def remove_member(self, pool: str, name: str, cut: bool = False) -> Outcome:
        """Take it out; *cut* closes its connections first. `Busy` while connections remain."""
        there = _checked(name) in self._rows(pool)
        commands = [*self._forgetting(pool, name)]
        if there:
            cutting = [f"shutdown sessions server {pool}/{name}"] if cut else []
            commands = [_set(pool, name, "state maint"), *cutting, *commands]
            commands.append(f"del server {pool}/{name}")
        try:
            for first in range(0, len(commands), _ON_ONE_LINE):
                self._do(*commands[first : first + _ON_ONE_LINE])
        except Missing:
            return Outcome.UNCHANGED  # another try of the same task was faster
        return Outcome.REMOVED if there else Outcome.UNCHANGED

    def _forgetting(self, pool: str, name: str) -> Iterator[str]:
        """Yield what clears the stick-table of a member: its entries would outlive it by `expire`.

        By key, not by `data.server_id`: ids are given again, and after a reload an entry may still
        have the one that its server had before. An entry in use is not cleared: the try that finds
        the member gone asks again.
        """
        for key in sticky_keys(self._table(pool), name):
            yield f"{_CLEAR} {pool} key {key}"

    def _add(self, pool: str, name: str, address: str, port: int) -> Outcome:
        """Add it and let it join, on one line.

        HAProxy goes on after a command that fails. Where another try of the same task was faster,
        the rest of the line makes that member, which is a moment old, prove its health once more.
        """
        if not _ADDRESS.fullmatch(address):
            raise Refused(f"{address!r} is no address")
        server = f"{pool}/{name} {address}:{port} {_CHECK} {self._server_options}".rstrip()
        try:
            self._do(f"add server {server}", *_joining(pool, name))
        except Conflict:
            return self.ensure_member(pool, name, address, port)  # the look says whose it is
        return Outcome.CREATED

    def _row(self, pool: str, name: str) -> Row:
        rows = self._rows(pool)
        if _checked(name) not in rows:
            raise Missing(f"HAProxy's pool {pool} has no member {name}")
        return rows[name]

    def _rows(self, pool: str) -> dict[str, Row]:
        """Return the servers of one pool. With 1,000 servers in all, everything is 300 kB a look.

        HAProxy takes a frontend of the same name for it, where that comes first in its
        configuration, and then answers without a server: everything has to be read after all.
        """
        for question in (f"show stat {_checked(pool)} {_SERVERS_TOO} -1", "show stat"):
            rows = rows_of(ask(self._connect, question), pool)
            if rows is not None:
                return rows
        raise Missing(f"HAProxy has no pool (backend) {pool}")

    def _table(self, pool: str) -> str:
        answer = ask(self._connect, f"show table {_checked(pool)}").strip()
        if answer.startswith("#"):
            return answer
        error = error_for(answer)
        if isinstance(error, Missing):
            return ""  # a pool without sticky sessions
        raise error

    def _do(self, *commands: str) -> None:
        """Do these on one line, in order. HAProxy does each of them, whatever the others answer."""
        answer = ask(self._connect, ";".join(commands))
        # where an answer ends is not marked: each line of all of them is judged
        wrong = [line for line in answer.splitlines() if line.strip() not in _DONE]
        if wrong:
            raise error_for(wrong[0])
        told = [command for command in commands if not command.startswith(_CLEAR)]
        self.log.info(
            "HAProxy: %s; %d sessions forgotten", "; ".join(told), len(commands) - len(told)
        )

    @cached_property
    def _stick_expire_s(self) -> float:
        return self.number("stick_expire_s", 1800.0)

    @cached_property
    def _server_options(self) -> str:
        options = self.option("server_options")
        if not _OPTIONS.fullmatch(options):
            told = "server_options: only what may follow `add server`, such as check-ssl"
            raise Refused(f"connection {self.conn_id}: {told}")
        return options

    @cached_property
    def _connect(self) -> Callable[[], socket.socket]:
        path = self.option("socket")
        if path:
            return unix(Path(path))
        keys = ("ca_file", "cert_file", "key_file")
        if lacking := ", ".join(key for key in keys if not self.option(key)):
            raise Refused(f"connection {self.conn_id} lacks {lacking} (or a socket)")
        files = {key: self.file(key) for key in keys}
        return TlsAddress(self.host(), int(self.connection.port or 9443), **files).connect


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Refused(f"{name!r} cannot be a name in HAProxy")
    return name


def _set(pool: str, name: str, change: str) -> str:
    return f"set server {_checked(pool)}/{_checked(name)} {change}"


def _joining(pool: str, name: str) -> tuple[str, ...]:
    """Let it take part as soon as its check passes, and not one request earlier.

    A server that leaves maintenance counts as up until its first check fails; with weight 0
    it gets nothing in that moment, and "health down" then makes the check decide.
    """
    return (
        _set(pool, name, "weight 0"),
        f"enable health {pool}/{name}",
        _set(pool, name, "state ready"),
        _set(pool, name, "health down"),
        _set(pool, name, f"weight {_WEIGHT}"),
    )
