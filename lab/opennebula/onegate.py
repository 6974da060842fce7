"""OneGate: a guest reads and changes its own VM, with the token of its CONTEXT."""

from __future__ import annotations

import hmac
import json
import socket
from urllib.parse import parse_qs, urlsplit

from lab.opennebula.attrs import Attrs, Value, Vector
from lab.opennebula.errors import ParseError
from lab.opennebula.events import api_event
from lab.opennebula.http import Gone, Request, read_request, send
from lab.opennebula.listener import Listener
from lab.opennebula.model import Vm
from lab.opennebula.text import parse
from lab.opennebula.world import World

# what a guest may not write: OneFlow's own marks, and where it is scheduled
FORBIDDEN = {"SERVICE_ID", "ROLE_NAME", "SCHED_REQUIREMENTS"}
DELETE_ATTRIBUTE = "2"  # PUT /vm?type=2: the body names attributes to delete
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
_NIC = ("IP", "MAC", "NAME", "NETWORK")

Answer = tuple[int, str]


class OneGate:
    """The service on port 5030."""

    def __init__(self, address: tuple[str, int], world: World) -> None:
        self.world = world
        self.listener = Listener(address, 8, self._serve)

    def _serve(self, conn: socket.socket) -> None:
        conn.settimeout(15)
        try:
            request = read_request(conn)
        except Gone:
            return
        with self.world.change():
            code, text = self._answer(request)
        body = text.encode()
        head = [f"HTTP/1.1 {code} {_REASONS[code]}", "Content-Type: application/json;charset=utf-8"]
        head += [f"Content-Length: {len(body)}", "X-Content-Type-Options: nosniff"]
        send(conn, [*head, "Connection: close", "Server: thin"], body)

    def _answer(self, request: Request) -> Answer:
        vm = self._guest(request.headers)
        if vm is None:
            return 401, "Not authorized"
        url = urlsplit(request.path)
        if url.path.rstrip("/") != "/vm":
            return 404, "Not found"
        if request.method == "PUT":
            kind = parse_qs(url.query).get("type", ["1"])[0]
            return self._put(vm, request.body.decode(errors="replace"), kind)
        return 200, json.dumps(_shown(vm), separators=(",", ":"))

    def _guest(self, headers: dict[str, str]) -> Vm | None:
        number, token = headers.get("x-onegate-vmid", ""), headers.get("x-onegate-token", "")
        vm = self.world.vms.things.get(int(number)) if number.isdigit() else None
        right = vm and vm.token and hmac.compare_digest(vm.token.encode(), token.encode())
        return vm if right else None

    def _put(self, vm: Vm, body: str, kind: str) -> Answer:
        if kind == DELETE_ATTRIBUTE:
            names = {line.strip().upper() for line in body.splitlines() if line.strip()}
        else:
            try:
                change = parse(body)
            except ParseError as error:
                return 400, str(error)
            names = change.names()
        for name in sorted(names & FORBIDDEN):
            return 403, f"Attribute ({name}) cannot be modified"
        if kind == DELETE_ATTRIBUTE:
            vm.user_template.discard(*names)
        else:
            vm.user_template.merge(change)
        self.world.vms.save(vm)
        api_event(self.world, "one.vm.update", [vm.id, body, 1], vm.id)
        return 200, ""


def _shown(vm: Vm) -> dict[str, object]:
    nics = [{k: nic[k] for k in _NIC if k in nic} for nic in vm.template.vectors("NIC")]
    inside = {
        "NAME": vm.name,
        "ID": str(vm.id),
        "STATE": str(vm.state),
        "LCM_STATE": str(vm.lcm),
        "USER_TEMPLATE": _as_json(vm.user_template),
        "TEMPLATE": {"NIC": nics, "NIC_ALIAS": list[Vector]()},
    }
    return {"VM": inside}


def _as_json(attrs: Attrs) -> dict[str, Value]:
    return dict(sorted(attrs.items, key=lambda item: item[0]))
