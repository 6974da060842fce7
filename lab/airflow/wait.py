"""Waiting with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(holds: Callable[[], object], seconds: float, what: str, every: float = 0.2) -> None:
    """Return as soon as *holds()* is true.

    Raises:
        TimeoutError: it was not within *seconds*; the message names *what* was waited for.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s in vain until {what}")
        time.sleep(every)
