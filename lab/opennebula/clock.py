"""Everything that happens later: one thread that runs callbacks when they are due."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Clock:
    """Callbacks by due time. They run one after the other and have to be short."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._wake = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def start(self) -> None:
        """Begin to run callbacks."""
        self._thread.start()

    def stop(self) -> None:
        """Forget what is due and end; waits for the callback that is running."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Run `callback` in `seconds` from now."""
        with self._wake:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._number), callback))
            self._wake.notify()

    def _next(self) -> Callable[[], None] | None:
        with self._wake:
            while not self._stopped:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._wake.wait(wait)
        return None

    def _run(self) -> None:
        while (callback := self._next()) is not None:
            try:
                callback()
            except Exception:
                log.exception("a timed step failed")
