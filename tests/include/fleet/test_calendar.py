"""When a turn may begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.catalogue.maintenance import Maintenance
from include.fleet import open_spans, start_minute

BEGAN = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)  # a Tuesday
ENDS = BEGAN + timedelta(hours=20)
NO_SPREAD = timedelta(0)
NIGHT = {"begins": "22:00", "ends": "04:00"}


def spans(began: datetime = BEGAN, ends: datetime = ENDS, **given: Any) -> list[str]:
    """Return the spans of a service, in UTC: "24 01:00 - 24 21:00"."""
    found = open_spans("shop", Maintenance.model_validate(given), began, ends, NO_SPREAD)
    clock = [[datetime.fromtimestamp(t, UTC).strftime("%d %H:%M") for t in s] for s in found]
    return [" - ".join(span) for span in clock]


def test_a_service_without_windows_may_start_all_day() -> None:
    assert spans() == ["24 01:00 - 24 21:00"]


def test_a_window_over_midnight_is_open_in_the_morning_and_again_in_the_evening() -> None:
    assert spans(windows=[NIGHT], ends=BEGAN + timedelta(hours=23)) == [
        "24 01:00 - 24 04:00",
        "24 22:00 - 25 00:00",
    ]


def test_a_window_is_meant_in_the_services_own_time_zone() -> None:
    assert spans(windows=[NIGHT], time_zone="America/New_York") == ["24 03:00 - 24 09:00"]


@pytest.mark.parametrize(
    ("days", "found"),
    [
        (["mon"], ["24 01:00 - 24 04:00"]),  # began on Monday evening
        (["tue"], ["24 22:00 - 24 23:00"]),
        (["sat"], []),
    ],
)
def test_the_day_of_a_window_is_the_one_on_which_it_begins(
    days: list[str], found: list[str]
) -> None:
    ends = BEGAN + timedelta(hours=22)

    assert spans(windows=[{**NIGHT, "days": days}], ends=ends) == found


def test_windows_that_touch_are_one() -> None:
    windows = [{"begins": "02:00", "ends": "05:00"}, {"begins": "04:00", "ends": "06:00"}]

    assert spans(windows=windows) == ["24 02:00 - 24 06:00"]


def test_a_blackout_cuts_a_hole() -> None:
    dark = {"begins": "2026-11-24 03:00", "ends": "2026-11-24 05:00", "reason": "sale"}

    assert spans(blackouts=[dark]) == ["24 01:00 - 24 03:00", "24 05:00 - 24 21:00"]


def test_a_blackout_over_the_whole_day_leaves_nothing() -> None:
    dark = {"begins": "2026-11-23", "ends": "2026-11-26", "reason": "sale"}

    assert spans(blackouts=[dark]) == []


def test_a_blackout_is_meant_in_the_services_own_time_zone() -> None:
    """As its windows are."""
    dark = {"begins": "2026-11-24 05:00", "ends": "2026-11-24 06:00", "reason": "sale"}

    assert spans(blackouts=[dark], time_zone="America/New_York") == [
        "24 01:00 - 24 10:00",
        "24 11:00 - 24 21:00",
    ]


@pytest.mark.parametrize(
    ("day", "begins", "hours"),
    [
        # clocks in Berlin go from 02:00 to 03:00 on 2026-03-29, and back on 2026-10-25
        (datetime(2026, 3, 28, 12, tzinfo=UTC), "28 23:00", 4),
        (datetime(2026, 10, 24, 12, tzinfo=UTC), "24 22:00", 6),
    ],
)
def test_the_wall_clock_decides_when_it_jumps(day: datetime, begins: str, hours: int) -> None:
    window = {"begins": "00:00", "ends": "05:00"}

    (span,) = spans(day, day + timedelta(hours=23), windows=[window], time_zone="Europe/Berlin")

    first, last = (datetime.strptime(t, "%d %H:%M") for t in span.split(" - "))  # noqa: DTZ007
    assert span.startswith(begins)
    assert last - first == timedelta(hours=hours)


def test_each_service_has_its_own_minute_and_the_same_every_day() -> None:
    minutes = [start_minute(f"service-{n}", timedelta(hours=2)) for n in range(500)]

    assert minutes == [start_minute(f"service-{n}", timedelta(hours=2)) for n in range(500)]
    assert {0 <= minute < 120 for minute in minutes} == {True}
    assert len(set(minutes)) > 100
    assert max(minutes.count(minute) for minute in set(minutes)) <= 15


def test_the_minute_counts_from_the_opening_of_the_window() -> None:
    late = Maintenance.model_validate({"windows": [{"begins": "05:00", "ends": "05:10"}]})
    ((begins, ends),) = open_spans("shop", late, BEGAN, ENDS, timedelta(hours=2))
    opens = datetime(2026, 11, 24, 5, tzinfo=UTC).timestamp()

    assert opens <= begins < opens + 300  # in its first half, so that there is time left
    assert ends == opens + 600
