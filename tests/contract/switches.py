"""The failure switches of the lab's front-end, spoken over its admin socket."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Switches:
    """Faults for VMs whose names start with our prefix; does nothing without a socket."""

    def __init__(self, path: Path | None, prefix: str) -> None:
        self._path, self._prefix = path, prefix

    def slow(self, step: str, vm: str, seconds: float = 2.0) -> None:
        """Make a driver step of one VM take its time, so that its state can be looked at."""
        self._set("slow", step, vm, seconds)

    def fail(self, step: str, vm: str, times: int = 1) -> None:
        """Make a driver step of one VM fail."""
        self._set("fail", step, vm, times=times)

    def hang(self, step: str, vm: str) -> None:
        """Make a driver step of one VM never answer."""
        self._set("hang", step, vm)

    def clear(self) -> None:
        """Take back all faults."""
        if self._path:
            self.request("DELETE", "/switches")

    def token(self, vm: int) -> str:
        """The OneGate token that a VM got with its context."""
        return self.request("GET", f"/token?vm={vm}").strip()

    def request(self, verb: str, path: str, body: object = None) -> str:
        """One request to the admin socket; its answer's text."""
        assert self._path, "no admin socket"
        connection = _UnixConnection(self._path)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(verb, path, data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
            assert response.status < 300, f"{verb} {path}: {response.status} {text}"
            return text
        finally:
            connection.close()

    def _set(self, kind: str, step: str, vm: str, seconds: float = 5.0, times: int = 1) -> None:
        if self._path:
            name = f"{self._prefix}{vm}"
            switch = {"kind": kind, "operation": step, "times": times, "match": name}
            self.request("POST", "/switches", switch | {"seconds": seconds})
