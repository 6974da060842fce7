"""HAProxy's runtime API on a unix socket, as far as the product talks to it."""

from __future__ import annotations

import re
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.bench.calls import Calls
from lab.bench.guests import Waits
from lab.bench.haproxy_rows import HEAD, row

SYSTEM = "balancer"
SESSIONS = 3  # that follow a member by their cookie, until some time after it was drained
_READS = ("show ",)


@dataclass
class Member:
    """One server of a pool."""

    address: str
    state: str = "maint"
    weight: int = 0
    up_at: float = 0.0  # its second good check
    drained_at: float = 0.0

    def set(self, field: str, value: str, check_s: float) -> None:
        """Do what `set server` says."""
        now = time.monotonic()
        if field == "weight":
            self.weight = int(value)
        elif field == "state":
            if value == "ready" and self.state == "maint":
                self.up_at = now + check_s
            self.drained_at = now if value == "drain" else 0.0
            self.state = value

    def since_s(self) -> int:
        """How long it has been up."""
        return max(0, int(time.monotonic() - self.up_at))

    def status(self) -> str:
        """HAProxy's word for it."""
        if self.state == "maint":
            return "MAINT"
        if time.monotonic() < self.up_at:
            return "DOWN 1/2"
        return "DRAIN" if self.state == "drain" else "UP"


class Haproxy:
    """Pools with members; `waits` says how long checks and sessions take."""

    def __init__(self, calls: Calls, path: Path, pools: Iterable[str], waits: Waits) -> None:
        self.calls, self.path, self.waits = calls, path, waits
        self._lock = threading.Lock()
        self._pools: dict[str, dict[str, Member]] = {pool: {} for pool in pools}
        self._server: socketserver.ThreadingUnixStreamServer | None = None

    def start(self) -> None:
        """Serve from now on."""
        ask = self.ask
        calls = self.calls

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with calls.connected(SYSTEM):
                    self.wfile.write(ask(self.rfile.readline().decode().strip()).encode())

        self._server = _Server(str(self.path), Handler)
        self.path.chmod(0o666)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self.path.unlink(missing_ok=True)

    def ask(self, line: str) -> str:
        """Do one line of commands. However many there are in it, it is one call."""
        commands = [command.strip() for command in line.split(";") if command.strip()]
        names = dict.fromkeys(" ".join(re.findall(r"^[a-z]+ [a-z]+", c)) for c in commands)
        changes = not all(command.startswith(_READS) for command in commands)
        self.calls.add(SYSTEM, "; ".join(names), mutating=changes)
        with self._lock:
            return "".join(f"{self._do(command)}\n" for command in commands)

    def _do(self, command: str) -> str:
        for pattern, act in self._verbs():
            if match := re.fullmatch(pattern, command):
                return act(match.groups())
        return f"Unknown command: '{command}'\n"

    def _verbs(self) -> Sequence[tuple[str, Callable[[Sequence[str]], str]]]:
        server = r"([^/ ]+)/(\S+)"
        return (
            (r"show stat", lambda _: self._stat(self._pools)),
            (r"show stat (\S+) 6 -1", self._stat_of),
            (r"show table (\S+)", lambda words: self._table(words[0])),
            (r"show version", lambda _: "2.6.12\n"),
            (rf"add server {server} (\S+) .*", self._add),
            (rf"set server {server} (weight|state|health) (\S+)", self._set),
            (rf"enable health {server}", lambda _: ""),
            (rf"shutdown sessions server {server}", lambda _: ""),
            (r"clear table (\S+) key (\S+)", lambda _: ""),
            (rf"del server {server}", self._delete),
        )

    def _add(self, words: Sequence[str]) -> str:
        pool, name, address = words
        if pool not in self._pools:
            return "No such backend.\n"
        if name in self._pools[pool]:
            return "Already exists a server with the same name in backend.\n"
        self._pools[pool][name] = Member(address)
        return "New server registered.\n"

    def _set(self, words: Sequence[str]) -> str:
        pool, name, field, value = words
        if name not in self._pools.get(pool, {}):
            return "No such server.\n"
        self._pools[pool][name].set(field, value, self.waits.join)
        return ""

    def _delete(self, words: Sequence[str]) -> str:
        pool, name = words
        member = self._pools.get(pool, {}).get(name)
        if member is None:
            return "No such server.\n"
        if member.state != "maint":
            return "Only servers in maintenance mode can be deleted.\n"
        del self._pools[pool][name]
        return "Server deleted.\n"

    def _stat_of(self, pools: Sequence[str]) -> str:
        return self._stat(pools) if set(pools) <= set(self._pools) else "No such proxy.\n"

    def _stat(self, pools: Iterable[str]) -> str:
        lines = [HEAD]
        for pool in pools:
            lines += [
                row(pool, name, each.status(), each.weight, each.address, each.since_s())
                for name, each in self._pools[pool].items()
            ]
            lines.append(row(pool, "BACKEND", "UP", 0, "", 0))
        return "\n".join(lines) + "\n"

    def _table(self, pool: str) -> str:
        members = self._pools.get(pool)
        if members is None:
            return "No such table\n"
        entries = [
            f"0x7f: key={name}-{number} use=0 exp=1800000 shard=0 server_id=1 server_key={name}"
            for name, member in members.items()
            if self._has_sessions(member)
            for number in range(SESSIONS)
        ]
        head = f"# table: {pool}, type: string, size:102400, used:{len(entries)}"
        return "\n".join([head, *entries, ""])

    def _has_sessions(self, member: Member) -> bool:
        if member.state == "maint":
            return False
        drained = member.drained_at
        return not drained or time.monotonic() - drained < self.waits.drain


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
