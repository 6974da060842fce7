"""A small HTTPS server with JSON, for the stand-ins that speak it."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from lab.bench.calls import Calls


@dataclass(frozen=True)
class Question:
    """One request, taken apart."""

    method: str  # what X-HTTP-Method-Override says, where it says something
    path: str
    query: dict[str, str]
    body: Any  # of JSON; bytes where it is none


@dataclass(frozen=True)
class Answer:
    """A status and a body: bytes as they are, anything else as JSON."""

    status: int = 200
    body: Any = b""


Respond = Callable[[Question], Answer]


class Web:
    """One HTTPS server on loopback, a thread per connection, each connection counted."""

    def __init__(
        self, system: str, calls: Calls, respond: Respond, tls: ssl.SSLContext, address: str
    ) -> None:
        class Handler(_Handler):
            pass

        Handler.respond = staticmethod(respond)
        self._server = _Server((address, 0), Handler, system, calls, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        system: str,
        calls: Calls,
        tls: ssl.SSLContext,
    ) -> None:
        super().__init__(address, handler)
        self.system, self.calls, self.tls = system, calls, tls

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The handshake belongs into the connection's own thread."""
        with self.calls.connected(self.system):
            try:
                secured = self.tls.wrap_socket(request, server_side=True)
            except OSError:
                request.close()
                return
            super().process_request_thread(secured, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    respond: Respond

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        question = Question(
            method=self.headers.get("X-HTTP-Method-Override", self.command),
            path=unquote(parts.path),
            query={key: values[0] for key, values in parse_qs(parts.query).items()},
            body=self._body(),
        )
        try:
            answer = self.respond(question)
        except (KeyError, ValueError, TypeError) as error:  # not what the product asked so far
            answer = Answer(501, f"the stand-in does not know this: {error!r}".encode())
        plain = isinstance(answer.body, bytes)
        content = answer.body if plain else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/plain" if plain else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def _body(self) -> Any:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.headers.get("Content-Type", "")
        return json.loads(content) if content and "json" in kind else content

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the calls are counted."""
