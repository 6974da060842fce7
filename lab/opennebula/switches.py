"""The client of the admin socket, for tests and on the command line.

python -m lab.opennebula.switches --socket PATH set lose-answer one.template.instantiate --times 1
"""

from __future__ import annotations

import argparse
import builtins
import http.client
import json
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lab.opennebula.switchboard import KINDS


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=15)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Switches:
    """Failure switches and counters of a running front-end. Raises ValueError when refused."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        connection = _Connection(self.path)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(text)
        return text if path.startswith("/token") else json.loads(text)

    def set(
        self,
        kind: str,
        operation: str,
        *,
        times: int | None = None,
        seconds: float = 5.0,
        match: str = "*",
    ) -> None:
        """Set a switch. times: None = until cleared. match: shell pattern on VM names."""
        wanted = {"kind": kind, "operation": operation, "times": times}
        self._ask("POST", "/switches", {**wanted, "seconds": seconds, "match": match})

    def list(self) -> builtins.list[dict[str, Any]]:
        """The switches that are set."""
        found: builtins.list[dict[str, Any]] = self._ask("GET", "/switches")
        return found

    def clear(self, operation: str = "") -> None:
        """Clear the switches of one operation, or all; calls that hang let go."""
        self._ask("DELETE", f"/switches?operation={quote(operation)}")

    def counters(self) -> dict[str, Any]:
        """calls per method, connections, peak_connections, open_connections."""
        found: dict[str, Any] = self._ask("GET", "/counters")
        return found

    def reset(self) -> None:
        """Count from zero again."""
        self._ask("DELETE", "/counters")

    def token(self, vm_id: int) -> str:
        """The OneGate token of a VM: what its guest would know."""
        return str(self._ask("GET", f"/token?vm={vm_id}"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab.opennebula.switches")
    parser.add_argument("--socket", required=True, type=Path)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list")
    setting = verbs.add_parser("set")
    setting.add_argument("kind", choices=KINDS)
    setting.add_argument("operation", help="an XML-RPC method, or a step such as boot")
    setting.add_argument("--times", type=int)
    setting.add_argument("--seconds", type=float, default=5.0)
    setting.add_argument("--match", default="*")
    verbs.add_parser("clear").add_argument("operation", nargs="?", default="")
    verbs.add_parser("counters").add_argument("--reset", action="store_true")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    args = _parser().parse_args(arguments)
    client = Switches(args.socket)
    if args.verb == "set":
        how = {"times": args.times, "seconds": args.seconds, "match": args.match}
        client.set(args.kind, args.operation, **how)
    elif args.verb == "clear":
        client.clear(args.operation)
    elif args.verb == "counters":
        print(json.dumps(client.counters(), indent=1))
        if args.reset:
            client.reset()
        return 0
    print(json.dumps(client.list(), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
