"""Carry connections from the host's loopback to a port inside the lab's namespace.

A socket belongs to the network namespace in which it was made, wherever its process lives. So the
parent listens on the host and hands the descriptor over; this process runs inside and connects
there. The lab gets no route out.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket

CHUNK = 65536


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


class Forwarder:
    """Accepts on one socket and opens one connection to *host*:*port* for each client."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join a client to the target until both sides have ended."""
        try:
            inner_reader, inner_writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pour(reader, inner_writer), _pour(inner_reader, writer))
        for side in (writer, inner_writer):
            side.close()

    async def serve(self, listening: socket.socket) -> None:
        """Serve until cancelled."""
        server = await asyncio.start_server(self.carry, sock=listening)
        async with server:
            await server.serve_forever()


def main() -> None:
    """Serve the inherited descriptor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--to", required=True, metavar="HOST:PORT")
    options = parser.parse_args()
    host, _, port = options.to.rpartition(":")
    listening = socket.socket(fileno=options.fd)
    asyncio.run(Forwarder(host, int(port)).serve(listening))


if __name__ == "__main__":
    main()
