"""The admin endpoint on a unix socket: switches, counters, health, a VM's OneGate token."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from lab.opennebula.http import Gone, Request, read_request, send
from lab.opennebula.listener import Listener
from lab.opennebula.switchboard import Switch
from lab.opennebula.world import World

Answer = tuple[int, object]


class Admin:
    """HTTP with JSON bodies; who may open the socket may do everything."""

    def __init__(self, path: Path, world: World, refuse: Callable[[bool], None]) -> None:
        self.world, self.refuse = world, refuse
        self.listener = Listener(path, 4, self._serve)
        self._routes: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", "/healthz"): lambda _: (200, {"ok": True}),
            ("GET", "/switches"): lambda _: (200, self.world.board.active()),
            ("POST", "/switches"): self._set,
            ("DELETE", "/switches"): self._clear,
            ("GET", "/counters"): lambda _: (200, self.world.board.counters()),
            ("DELETE", "/counters"): self._reset,
            ("GET", "/token"): self._token,
        }

    def _serve(self, conn: socket.socket) -> None:
        conn.settimeout(15)
        try:
            request = read_request(conn)
        except Gone:
            return
        route = self._routes.get((request.method, urlsplit(request.path).path))
        code, value = route(request) if route else (404, {"error": "no such thing"})
        body = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        head = [f"HTTP/1.1 {code} -", f"Content-Length: {len(body)}", "Connection: close"]
        send(conn, head, body)

    def _set(self, request: Request) -> Answer:
        try:
            switch = Switch(**json.loads(request.body))
            self.world.board.set(switch)
        except (TypeError, ValueError) as error:
            return 400, {"error": str(error)}
        if switch.kind == "refuse":
            self.refuse(True)
            if switch.times is None and switch.seconds > 0:
                self.world.clock.after(switch.seconds, self._accept)
        return 200, self.world.board.active()

    def _accept(self) -> None:
        self.world.board.clear("connect")
        self.refuse(False)

    def _clear(self, request: Request) -> Answer:
        operation = _query(request, "operation") or None
        self.world.board.clear(operation)
        if operation in (None, "connect"):
            self.refuse(False)
        return 200, self.world.board.active()

    def _reset(self, _request: Request) -> Answer:
        self.world.board.reset()
        return 200, self.world.board.counters()

    def _token(self, request: Request) -> Answer:
        number = _query(request, "vm")
        with self.world.lock:
            vm = self.world.vms.things.get(int(number)) if number.isdigit() else None
            return (200, vm.token) if vm else (404, {"error": f"no VM {number}"})


def _query(request: Request, name: str) -> str:
    return parse_qs(urlsplit(request.path).query).get(name, [""])[0]
