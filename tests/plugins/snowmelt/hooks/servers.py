"""Real servers on loopback, started by a test and ended by their process id."""

from __future__ import annotations

import http.server
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# The longest that a request is held open: a test that fails leaves it to this.
HELD_S = 20.0


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str, *places: str) -> str:
    """Return where a program is; skip the test when it is not installed."""
    found = shutil.which(name, path=":".join(("/usr/sbin", "/usr/bin", "/sbin", "/bin", *places)))
    if found is None:
        pytest.skip(f"{name} is not installed (make setup installs it)")
    return found


@contextmanager
def running(command: list[str], log: Path, ready: Callable[[], bool]) -> Iterator[None]:
    """Run a server until the block ends; fail with its log when it does not get ready."""
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            until(lambda: ready() or process.poll() is not None, 10.0)
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def until(holds: Callable[[], bool], limit_s: float = 5.0) -> None:
    """Wait until something holds; fail after *limit_s*."""
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, f"not within {limit_s} s"
        time.sleep(0.02)


def listens(port: int) -> bool:
    """Say whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class App(http.server.BaseHTTPRequestHandler):
    """An application with sticky sessions, whose health and answers a test can change."""

    protocol_version = "HTTP/1.1"
    port: int
    healthy: bool
    served: int  # requests that came to it, without checks of its health
    may_answer: threading.Event  # what "/slow" waits for

    def do_GET(self) -> None:
        if self.path != "/health":
            type(self).served += 1
        if self.path == "/slow":
            self.may_answer.wait(HELD_S)
        code = 503 if self.path == "/health" and not self.healthy else 200
        self.send_response(500 if self.path == "/broken" else code)
        if "Cookie" not in self.headers and self.path != "/health":
            self.send_header("Set-Cookie", f"SESSIONID={time.monotonic_ns():x}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that were cut off: a balancer resets its checks."""


@contextmanager
def application() -> Iterator[type[App]]:
    """Yield a running application: the class that its switches are on."""
    switches = {"healthy": True, "served": 0, "may_answer": threading.Event()}
    app: type[App] = type("Switches", (App,), switches)
    with _QuietServer(("127.0.0.1", 0), app) as server:
        app.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield app
        finally:
            app.may_answer.set()
            server.shutdown()
            thread.join()
