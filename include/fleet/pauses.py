"""How long the calendar lets a service wait for its next turn."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from include.catalogue.fleet import Fleet
from include.catalogue.maintenance import Maintenance
from include.fleet.calendar import open_spans

_NIGHTS = 15  # two weeks of windows, and one night to end the last pause
_YEAR = timedelta(days=366)  # nobody plans a blackout further ahead


def longest_pause(
    fleet: Fleet, name: str, maintenance: Maintenance, now: datetime
) -> timedelta | None:
    """Return the longest time between two turns of a service from *now* on; None: it has none.

    Two weeks are looked at, and as much after the last blackout. A turn counts from its first
    minute; how long rollouts take is not in it.
    """
    if not maintenance.windows and not maintenance.blackouts:
        return timedelta(days=1)  # most services: with 500 of them, a second less at each parse
    turns = list(_turns(fleet, name, maintenance, now))
    pauses = [after - before for before, after in pairwise(turns)]
    return timedelta(seconds=max(pauses)) if pauses else None


def _turns(fleet: Fleet, name: str, maintenance: Maintenance, now: datetime) -> Iterator[float]:
    ends = [each.ends.replace(tzinfo=maintenance.zone) for each in maintenance.blackouts]
    last = min(max([now, *ends]), now + _YEAR) + timedelta(days=_NIGHTS)
    night = fleet.next_start(now)
    while night < last:
        after, ends_at = fleet.next_start(night), night + fleet.rotation.duration
        spread = fleet.rotation.spread
        if spans := open_spans(name, maintenance, night, ends_at, spread, after):
            yield spans[0][0]
        night = after
