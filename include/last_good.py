"""Which release to go back to. Kept apart from the wanted one: that may be the bad one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

KEEP = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Good:
    """A release that a rollout has verified on every VM of a service."""

    release: str
    at: str  # ISO 8601
    run: str


def remember(known: Sequence[Good], new: Good) -> list[Good]:
    """Return *known* with *new* on top, newest first, each release once.

    Going back drops what was above: after 1.1 -> 1.0 the next way back is 0.9, not 1.1 again.
    """
    releases = [good.release for good in known]
    below = known[releases.index(new.release) + 1 :] if new.release in releases else known
    return [new, *below][:KEEP]


def last_good(known: Sequence[Good], serving: Collection[str]) -> Good:
    """Return the newest good release but the one that serves; ValueError when there is none.

    Where a failed rollout left something else serving, that is the top entry.
    """
    for good in known:
        if {good.release} != set(serving):
            return good
    told = ", ".join(good.release for good in known) or "none"
    raise ValueError(f"no release to go back to: known as good is {told}; deploy one by its name")
