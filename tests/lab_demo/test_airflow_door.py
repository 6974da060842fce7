"""The UI's door: a port on loopback and what carries connections through it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lab.airflow import faults
from lab.airflow.door import listen
from lab.airflow.forward import Forwarder
from lab.airflow.wait import until


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with all that came once the client has ended."""
    writer.write(await reader.read())
    await writer.drain()
    writer.close()


def test_a_taken_port_gives_way_to_a_free_one() -> None:
    with listen(0) as first, listen(first.getsockname()[1]) as second:
        assert second.getsockname()[0] == "127.0.0.1"
        assert second.getsockname()[1] != first.getsockname()[1]


async def through(listening: socket.socket, port: int, data: bytes) -> bytes:
    """Return what comes back when *data* goes through a forwarder to *port*."""
    serving = asyncio.create_task(Forwarder("127.0.0.1", port).serve(listening))
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    writer.write(data)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    return answer


async def test_what_goes_in_comes_out_on_the_other_side_and_back() -> None:
    target = await asyncio.start_server(echo, "127.0.0.1", 0)
    data = os.urandom(300_000)

    with listen(0) as listening:
        answer = await through(listening, target.sockets[0].getsockname()[1], data)
    target.close()

    assert answer == data


async def test_a_client_is_let_go_while_nobody_listens_behind_the_door() -> None:
    with listen(0) as listening:
        assert await through(listening, 1, b"") == b""


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a child that has a child."""
    inner = "import subprocess,sys,time; subprocess.Popen([sys.executable,'-c','import time;time.sleep(60)']); time.sleep(60)"  # noqa: E501
    with subprocess.Popen([sys.executable, "-c", inner]) as process:
        until(lambda: list(faults.descendants(process.pid)), 10, "the child runs")
        yield process
        for pid in faults.descendants(process.pid):
            os.kill(pid, 9)
        process.kill()


def test_descendants_are_found_and_a_stranger_has_no_task_process(
    family: subprocess.Popen[bytes],
) -> None:
    (child,) = faults.descendants(family.pid)

    assert "time.sleep(60)" in faults.title(child)
    assert faults.task_process("no-such-task-instance") is None


def test_a_wait_in_vain_says_what_for() -> None:
    with pytest.raises(TimeoutError, match=r"waited 0\.05 s in vain until it rains"):
        until(lambda: False, 0.05, "it rains", every=0.01)
