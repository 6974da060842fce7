"""The little HTTP that three of our servers need: one request per connection, then close."""

import contextlib
import socket
from dataclasses import dataclass

MAX_HEAD = 65536
MAX_BODY = 64 * 1024 * 1024


class Gone(Exception):
    """The client went away, sent nothing in time, or sent no HTTP."""


@dataclass(frozen=True)
class Request:
    """One request. path keeps its query; header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    has_length: bool


def read_request(conn: socket.socket) -> Request:
    """Read one request; the socket's time-out bounds each wait. Raises Gone."""
    try:
        head, rest = _head(conn)
        line, *fields = head.decode("latin-1").split("\r\n")
        method, path, _version = line.split(" ", 2)
        headers = {k.strip().lower(): v.strip() for k, _, v in (f.partition(":") for f in fields)}
        length = int(headers.get("content-length", "0"))
        if headers.get("expect", "").lower() == "100-continue":
            conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = _body(conn, rest, min(length, MAX_BODY))
    except (OSError, ValueError) as error:
        raise Gone from error
    return Request(method, path, headers, body, "content-length" in headers)


def _head(conn: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = conn.recv(65536)
        if not piece or len(data) > MAX_HEAD:
            raise Gone
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _body(conn: socket.socket, begun: bytes, length: int) -> bytes:
    pieces, have = [begun], len(begun)
    while have < length:
        piece = conn.recv(min(length - have, 1 << 20))
        if not piece:
            raise Gone
        pieces.append(piece)
        have += len(piece)
    return b"".join(pieces)[:length]


def send(conn: socket.socket, head: list[str], body: bytes) -> None:
    """Send an answer. A client that is gone is not our fault."""
    with contextlib.suppress(OSError):
        conn.sendall("\r\n".join((*head, "", "")).encode("latin-1") + body)
        conn.shutdown(socket.SHUT_WR)


def cut(conn: socket.socket) -> None:
    """Close without an answer: the client sees a reset."""
    linger_now = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    with contextlib.suppress(OSError):
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_now)
        conn.close()
