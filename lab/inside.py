"""Let a thread of this process work inside the lab's network."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from lab.settings import NETNS

_CLONE_NEWNET = 0x40000000


def enter() -> None:
    """Move the calling thread, and what it starts, into the lab's network namespace.

    Namespaces belong to threads: the rest of the process stays where it is.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/run/netns", NETNS).open() as space:
        if libc.setns(space.fileno(), _CLONE_NEWNET):
            error = ctypes.get_errno()
            raise OSError(
                error, f"cannot enter the network namespace {NETNS}: {os.strerror(error)}"
            )
