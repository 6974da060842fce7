"""A listener with a fixed number of workers, as Abyss has: the rest wait in the kernel."""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)
PATIENCE = 1.0  # seconds for calls under way when the server ends
Handler = Callable[[socket.socket], None]


class Listener:
    """`workers` threads that accept, serve one request and close."""

    def __init__(self, address: tuple[str, int] | Path, workers: int, handler: Handler) -> None:
        self.address, self.handler = address, handler
        self._ready = threading.Condition()
        self._socket: socket.socket | None = None
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, name=f"worker-{n}", daemon=True)
            for n in range(workers)
        ]

    @property
    def port(self) -> int:
        """The TCP port, useful after listening on port 0."""
        return int(self._socket.getsockname()[1]) if self._socket else 0

    def start(self) -> None:
        """Listen and serve."""
        self.open()
        for thread in self._threads:
            thread.start()

    def open(self) -> None:
        """Listen (again)."""
        with self._ready:
            if self._socket is None:
                self._socket = self._bind()
                self._ready.notify_all()

    def _bind(self) -> socket.socket:
        if isinstance(self.address, Path):
            return _bind_unix(self.address)
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(self.address)
        found.listen(15)  # MAX_CONN_BACKLOG
        self.address = found.getsockname()
        return found

    def close(self) -> None:
        """Stop listening: from now on connections are refused."""
        with self._ready:
            old, self._socket = self._socket, None
        if old:
            with contextlib.suppress(OSError):
                old.shutdown(socket.SHUT_RDWR)  # wakes the workers that wait in accept
            old.close()

    def stop(self) -> None:
        """Stop for good."""
        self._stopped = True
        self.close()
        with self._ready:
            self._ready.notify_all()
        deadline = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if isinstance(self.address, Path):
            self.address.unlink(missing_ok=True)

    def _listening(self) -> socket.socket | None:
        with self._ready:
            while self._socket is None and not self._stopped:
                self._ready.wait()
            return self._socket

    def _work(self) -> None:
        while (listening := self._listening()) is not None:
            try:
                conn, _ = listening.accept()
            except OSError:
                continue  # closed under us: wait until it is opened again
            with conn:
                try:
                    self.handler(conn)
                except Exception:
                    log.exception("a request was not answered")


def _bind_unix(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)  # the file is born 0600: nobody can slip in before a chmod
    try:
        found.bind(str(path))
    finally:
        os.umask(old)
    found.listen(16)
    return found
