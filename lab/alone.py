"""One at a time: two that bring a lab up or take it down would undo each other's work."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lab.settings import NETNS
from lab.steps import StepFailedError

_RUN = Path("/run")  # what is in there ends with the machine, as locks do


@contextmanager
def alone(what: str, folder: Path = _RUN) -> Iterator[None]:
    """Hold this lab for the length of the block; wait, and say for whom, while another has it.

    Raises:
        StepFailedError: who asks is not root.
    """
    path = folder / f"snowmelt.{NETNS}.lock"
    with _taken(path) as file:
        file.truncate(0)
        file.write(f"`{what}`, process {os.getpid()}")
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _taken(path: Path) -> IO[str]:
    """Return the file once it is ours alone; who had it has removed it: then it is another."""
    while True:
        try:
            file = path.open("a+")
        except PermissionError as error:
            needs = "the lab needs root: network namespaces, mounts, PostgreSQL's account"
            raise StepFailedError(needs) from error
        _lock(file)
        if _is(path, file):
            return file
        file.close()


def _is(path: Path, file: IO[str]) -> bool:
    try:
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False


def _lock(file: IO[str]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        print(f"waiting for {file.read() or 'another one'}", flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)
