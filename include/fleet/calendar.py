"""When a service's turn may begin: its own minute, inside its windows, outside its blackouts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from include.catalogue.maintenance import WEEK, Blackout, Maintenance, Window

Span = tuple[float, float]  # epoch seconds: from, and up to but without


def start_minute(service: str, within: timedelta) -> int:
    """Return the minute of a service, the same every day: nothing herds, and no day surprises."""
    minutes = max(1, int(within.total_seconds() // 60))
    return int.from_bytes(sha256(service.encode()).digest()[:8]) % minutes


def open_spans(
    service: str,
    maintenance: Maintenance,
    began: datetime,
    ends: datetime,
    spread: timedelta,
    opens_by: datetime | None = None,
) -> tuple[Span, ...]:
    """Return the times in which the rotation of *service* may start, between *began* and *ends*.

    The first of them begins at the service's own minute after the fleet's start or the opening of
    its window, whichever is later, and at most halfway through it. With no *spread*, at once. What
    opens later than *opens_by* is left to another run.
    """
    whole = (began.timestamp(), ends.timestamp())
    last = (opens_by or ends).timestamp()
    found = _without(_windows(maintenance, whole), _blackouts(maintenance))
    spans = [span for span in found if span[0] < last]
    if spans and spread:
        spans[0] = _late(service, spans[0], spread)
    return tuple(spans)


def shut_by(maintenance: Maintenance, began: datetime, ends: datetime) -> Blackout | None:
    """Return the blackout that covers the last of the time between *began* and *ends*.

    None where no window opens then: it is not the blackouts that leave no time.
    """
    windows = _windows(maintenance, (began.timestamp(), ends.timestamp()))
    holes = zip(_blackouts(maintenance), maintenance.blackouts, strict=True)
    hits = [b for (begin, end), b in holes if any(begin < e and a < end for a, e in windows)]
    return max(hits, key=lambda blackout: blackout.ends, default=None)


def _late(service: str, span: Span, spread: timedelta) -> Span:
    room = min(spread, timedelta(seconds=(span[1] - span[0]) / 2))
    return span[0] + 60 * start_minute(service, room), span[1]


def _windows(maintenance: Maintenance, whole: Span) -> list[Span]:
    if not maintenance.windows:
        return [whole]
    spans = (span for w in maintenance.windows for span in _days(w, maintenance.zone, whole))
    cut = [(max(a, whole[0]), min(b, whole[1])) for a, b in spans]
    return _joined(span for span in cut if span[0] < span[1])


def _days(window: Window, zone: ZoneInfo, whole: Span) -> Iterator[Span]:
    """Yield the window of each day around *whole*; the wall clock decides, also when it jumps."""
    first = datetime.fromtimestamp(whole[0], zone).date() - timedelta(days=1)
    last = datetime.fromtimestamp(whole[1], zone).date()
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        if WEEK[day.weekday()] not in window.days:
            continue
        until = day + timedelta(days=window.ends <= window.begins)
        yield (
            datetime.combine(day, window.begins, zone).astimezone(UTC).timestamp(),
            datetime.combine(until, window.ends, zone).astimezone(UTC).timestamp(),
        )


def _joined(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for begins, ends in sorted(spans):
        if joined and begins <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], ends))
        else:
            joined.append((begins, ends))
    return joined


def _blackouts(maintenance: Maintenance) -> list[Span]:
    zone = maintenance.zone
    return [
        (b.begins.replace(tzinfo=zone).timestamp(), b.ends.replace(tzinfo=zone).timestamp())
        for b in maintenance.blackouts
    ]


def _without(spans: Sequence[Span], holes: Sequence[Span]) -> Iterator[Span]:
    for begins, ends in spans:
        at = begins
        for hole_begins, hole_ends in sorted(holes):
            if hole_ends <= at or hole_begins >= ends:
                continue
            if at < hole_begins:
                yield at, hole_begins
            at = hole_ends
        if at < ends:
            yield at, ends
