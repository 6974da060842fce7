"""What a look at the world comes to: the answer of a wait, and the outcome of an act."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal


class Outcome(StrEnum):
    """What an `ensure_*` or `remove_*` did."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a wait is over. `retryable` says whether a failure may be different next time."""

    status: Literal["pending", "done", "failed"]
    detail: str
    retryable: bool = True

    def to_event(self) -> dict[str, Any]:
        """Return the verdict as plain data, the only thing that crosses from trigger to task."""
        return asdict(self)


def pending(detail: str) -> Verdict:
    """Not yet; *detail* says what is still missing."""
    return Verdict("pending", detail)


def done(detail: str) -> Verdict:
    """It holds."""
    return Verdict("done", detail)


def failed(detail: str, *, retryable: bool = False) -> Verdict:
    """It does not hold and waiting longer cannot help."""
    return Verdict("failed", detail, retryable)
