"""The failure switches and the counters, as the server sees them."""

import fnmatch
import threading
from collections import Counter
from dataclasses import asdict, dataclass

KINDS = ("fail", "hang", "slow", "lose-answer", "pending", "out-of-leases", "refuse")


@dataclass
class Switch:
    """One fault. times: how often it strikes, None = until it is cleared."""

    kind: str
    operation: str
    times: int | None = None
    seconds: float = 5.0
    match: str = "*"


class Switchboard:
    """All switches that are set, and what was counted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cleared = threading.Condition()
        self._switches: list[Switch] = []
        self.reset()

    def reset(self) -> None:
        """Count from zero again. Connections that are open now stay counted."""
        with self._lock:
            self._calls: Counter[str] = Counter()
            self._open = getattr(self, "_open", 0)
            self._accepted = 0
            self._peak = self._open

    def set(self, switch: Switch) -> None:
        """Add a switch. Raises ValueError for a kind that does not exist."""
        if switch.kind not in KINDS:
            raise ValueError(f"unknown kind {switch.kind!r}: one of {', '.join(KINDS)}")
        with self._lock:
            self._switches.append(switch)

    def clear(self, operation: str | None = None) -> None:
        """Remove the switches of one operation, or all."""
        with self._lock:
            self._switches = [s for s in self._switches if operation not in (None, s.operation)]
        with self._cleared:
            self._cleared.notify_all()

    def wait_for_clear(self, seconds: float) -> None:
        """Wait until somebody clears a switch: that is when hanging calls let go."""
        with self._cleared:
            self._cleared.wait(seconds)

    def active(self) -> list[dict[str, object]]:
        """The switches that are set."""
        with self._lock:
            return [asdict(switch) for switch in self._switches]

    def take(self, operation: str, name: str = "", *kinds: str) -> Switch | None:
        """The switch that strikes now, if any; one strike is used up. name: the VM's."""
        with self._lock:
            for switch in self._switches:
                wanted = not kinds or switch.kind in kinds
                fits = wanted and fnmatch.fnmatch(name, switch.match)
                if switch.operation == operation and fits and switch.times != 0:
                    return self._strike(switch)
        return None

    def _strike(self, switch: Switch) -> Switch:
        if switch.times is not None:
            switch.times -= 1
            if switch.times <= 0:
                self._switches.remove(switch)
        return switch

    def called(self, method: str) -> None:
        """Count a call."""
        with self._lock:
            self._calls[method] += 1

    def connected(self, change: int) -> None:
        """Count a connection that is being served (+1) or ended (-1)."""
        with self._lock:
            self._open += change
            self._accepted += change > 0
            self._peak = max(self._peak, self._open)

    def counters(self) -> dict[str, object]:
        """calls per method, connections in all, the most at one time, and those open now."""
        with self._lock:
            return {
                "calls": dict(self._calls),
                "connections": self._accepted,
                "peak_connections": self._peak,
                "open_connections": self._open,
            }
