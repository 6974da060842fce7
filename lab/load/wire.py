"""HTTP/1.1 on one kept connection, as a browser speaks it, with the faults told apart."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

COOKIE = re.compile(rb"^set-cookie:\s*SESSIONID=([^;\s]+)", re.IGNORECASE | re.MULTILINE)
LENGTH = re.compile(rb"^content-length:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
CLOSE = re.compile(rb"^connection:\s*close", re.IGNORECASE | re.MULTILINE)


class ClosedIdleError(Exception):
    """The server closed a kept connection before it read the request: browsers ask again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the shop: its body is `HOST RELEASE COUNT old|new`."""

    status: int
    cookie: str | None  # set by this answer
    host: str
    release: str
    known: bool  # the session behind the cookie that was sent exists
    closes: bool


def answer_of(head: bytes, body: bytes) -> Answer:
    """Return the answer in *head* and *body*; a body of another shape has no host and release."""
    words = body.decode(errors="replace").split()
    host, release, _, session = words if len(words) == 4 else ("", "", "", "")
    cookie = COOKIE.search(head)
    return Answer(
        status=int(head.split(maxsplit=2)[1]),
        cookie=cookie[1].decode() if cookie else None,
        host=host,
        release=release,
        known=session == "old",
        closes=CLOSE.search(head) is not None,
    )


class Connection:
    """One TCP connection to *url*; `used` says whether it has answered before."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        self.port = parts.port or 80
        self.path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.used = False
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def close(self) -> None:
        """Forget the connection; the next request opens a new one."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None
        self.used = False

    async def ask(self, cookie: str | None) -> Answer:
        """Send one request and return its answer.

        Raises:
            ClosedIdleError: a kept connection turned out to be closed, with nothing answered.
            OSError: connecting failed, or the connection broke.
            EOFError: the answer ended early.
        """
        if self._streams is None:
            self._streams = await asyncio.open_connection(self.host, self.port)
        reader, writer = self._streams
        head = await self._head(reader, writer, cookie)
        length = LENGTH.search(head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        self.used = True
        answer = answer_of(head, body)
        if answer.closes:
            self.close()
        return answer

    async def _head(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cookie: str | None
    ) -> bytes:
        sent = f"Cookie: SESSIONID={cookie}\r\n" if cookie else ""
        try:
            writer.write(f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\n{sent}\r\n".encode())
            await writer.drain()
            return await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if self.used and not error.partial:
                raise ClosedIdleError from error
            raise
        except (ConnectionResetError, BrokenPipeError) as error:
            if self.used:
                raise ClosedIdleError from error
            raise
