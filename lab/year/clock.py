"""A clock that jumps from day to day, for the programs that are started under it (libfaketime)."""

from __future__ import annotations

import time
from pathlib import Path

_SHIFTED = "*/faketime/libfaketimeMT.so.1"
# What is on the disk is measured, not kept: nothing waits until it is written. 200 updates of zones
# a day took twice as long with that.
_UNSYNCED = "*/libeatmydata.so"
_CACHED_S = 1  # programs look at the file once in a while; at every call would be slow
_SEEN_AFTER_S = 2.2  # libfaketime counts whole seconds: more than 1 of them is up to 2


class Clock:
    """Days ahead of the real clock, kept in a file that the programs look at."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._seen_at = 0.0

    def environment(self) -> dict[str, str]:
        """What a program needs in its environment to live by this clock.

        Its timers and time-outs go by the monotonic clock, which stays the real one.
        """
        return {
            "LD_PRELOAD": f"{library(_SHIFTED)}:{library(_UNSYNCED)}",
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": str(_CACHED_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # Debian's default lets Java's timers spin
            "NO_FAKE_STAT": "1",
        }

    def to(self, day: int) -> None:
        """Make it that day, at the same time of day."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.file.with_name(f".{self.file.name}.new")
        fresh.write_text(f"+{day}d\n")
        fresh.rename(self.file)
        self._seen_at = time.monotonic() + _SEEN_AFTER_S

    def wait(self) -> None:
        """Return when all programs have seen the day."""
        time.sleep(max(0.0, self._seen_at - time.monotonic()))


def library(pattern: str) -> Path:
    """Where a package of Debian's has it.

    Raises:
        FileNotFoundError: it is not installed.
    """
    found = sorted(Path("/usr/lib").glob(pattern))
    if not found:
        raise FileNotFoundError(f"{pattern} is not below /usr/lib: run `make setup`")
    return found[0]
