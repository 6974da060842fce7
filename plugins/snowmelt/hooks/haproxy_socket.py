"""How a command reaches HAProxy's runtime API: a local unix socket, or mutual TLS.

An `ipv4@` stats socket would have no authentication at all, so there is no third way.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from snowmelt.errors import Unreachable
from snowmelt.hooks.connection import TIMEOUT

_CHUNK = 65536
_CUT = (
    "HAProxy closed the connection without an answer. Unless it is just being reloaded: its"
    " `server cli` cannot open the stats socket from inside its chroot as its own user, or our"
    " certificate has a name that it does not let in; see docs/how-to/haproxy.md"
)


@dataclass(frozen=True, slots=True)
class TlsAddress:
    """The runtime API behind a TLS front end that asks for a client certificate."""

    host: str
    port: int
    ca_file: str
    cert_file: str
    key_file: str

    def connect(self) -> socket.socket:
        """Return a connection whose two ends have proved who they are."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.load_cert_chain(self.cert_file, self.key_file)
        plain = socket.create_connection((self.host, self.port), TIMEOUT[0])
        try:
            return context.wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise


def unix(path: Path) -> Callable[[], socket.socket]:
    """Return a function that connects to a socket of this machine."""

    def connect() -> socket.socket:
        plain = socket.socket(socket.AF_UNIX)
        plain.settimeout(TIMEOUT[0])
        try:
            plain.connect(str(path))
        except OSError:
            plain.close()
            raise
        return plain

    return connect


def ask(connect: Callable[[], socket.socket], command: str) -> str:
    """Send one command on a connection of its own and return all that comes back."""
    with _unreachable(), connect() as stream:
        stream.settimeout(TIMEOUT[1])
        stream.sendall(f"{command}\n".encode())
        answer = b"".join(iter(lambda: stream.recv(_CHUNK), b""))
    if not answer:
        # Every answer ends with an empty line: none at all is a connection that was cut, as by
        # HAProxy's own TLS front end, which tells nobody why.
        raise Unreachable(_CUT)
    return answer.decode()


@contextmanager
def _unreachable() -> Iterator[None]:
    try:
        yield
    except OSError as error:  # ssl.SSLError and time-outs are OSErrors too
        raise Unreachable(f"HAProxy's runtime API: {error}") from error
