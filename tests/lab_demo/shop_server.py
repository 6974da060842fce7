"""A tiny shop on loopback that can be told to misbehave."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass
class Shop:
    """Answers as the release package does. The switches stay as they are set."""

    release: str = "1.0"
    status: int = 200
    answers_per_connection: int = 10_000  # then it closes without a word
    forgets: bool = False  # treats every known session as new
    silent: bool = False  # reads and never answers
    cuts: bool = False  # half an answer, then closes
    cookies: set[str] = field(default_factory=set)
    requests: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for _ in range(self.answers_per_connection):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.requests += 1
                if self.silent:
                    await reader.read()
                    return
                writer.write(self.answer(head))
                await writer.drain()
                if self.cuts:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    def answer(self, head: str) -> bytes:
        cookie = head.partition("SESSIONID=")[2].partition("\r\n")[0]
        known = cookie in self.cookies and not self.forgets
        if not known:
            cookie = f"{len(self.cookies):04x}"
            self.cookies.add(cookie)
        body = f"web-0 {self.release} 1 {'old' if known else 'new'}\n".encode()
        length = len(body) + (10 if self.cuts else 0)
        lines = [f"HTTP/1.1 {self.status} X", f"Content-Length: {length}"]
        lines += [] if known else [f"Set-Cookie: SESSIONID={cookie}; Path=/"]
        return "\r\n".join([*lines, "", ""]).encode() + body
