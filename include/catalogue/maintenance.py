"""When a service may be rotated: its windows and blackouts, in its own time zone."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NaiveDatetime,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from include.catalogue.types import Part, Sentence

_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: tuple[Weekday, ...] = get_args(Weekday)


def _read_clock(text: object) -> time:
    """YAML reads an unquoted 22:00 as a number in base 60."""
    if isinstance(text, time):
        return text
    try:
        return datetime.strptime(str(text), "%H:%M").time()  # noqa: DTZ007  # a time of day
    except ValueError as error:
        raise ValueError('write hours and minutes in quotes: "22:00"') from error


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # "Europe" is a folder
        raise ValueError("no such time zone: write one such as Europe/Berlin") from error
    return name


ClockTime = Annotated[
    time,
    BeforeValidator(_read_clock),
    PlainSerializer(lambda clock: clock.strftime("%H:%M"), return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": _CLOCK,
            "examples": ["22:00"],
            "description": 'Hours and minutes in quotes: "22:00".',
        }
    ),
]
TimeZone = Annotated[
    str,
    AfterValidator(_known_zone),
    Field(description="UTC, or one such as Europe/Berlin.", examples=["Europe/Berlin"]),
]


class Window(Part):
    """Hours in which a rotation may start; one that ends before it begins ends the day after."""

    days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = WEEK
    """Days on which the window begins: [mon, tue]. Left out: every day."""
    begins: ClockTime
    """First minute in which a rotation may start."""
    ends: ClockTime
    """First minute in which none may any more; on the day after, where it is before `begins`."""

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if self.begins == self.ends:
            raise ValueError("begins and ends are the same: leave windows out to allow all day")
        return self


class Blackout(Part):
    """A time in which the service is left alone, such as a sale; in the service's time zone."""

    begins: NaiveDatetime
    """Day, or day and time without offset: 2026-12-20, "2026-12-20 08:00"."""
    ends: NaiveDatetime
    """First moment after it, written as `begins`; of a day, its midnight."""
    reason: Sentence
    """Why the service is left alone."""

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if self.ends <= self.begins:
            raise ValueError("ends has to be after begins")
        return self


class Maintenance(Part):
    """When the daily rotation may start. No windows: whenever the fleet's rotation runs."""

    time_zone: TimeZone = "UTC"
    """In which the hours of windows and blackouts are meant."""
    windows: tuple[Window, ...] = ()
    """Hours in which a rotation may start. Left out: whenever the fleet's rotation runs."""
    blackouts: tuple[Blackout, ...] = ()
    """Times in which the service is left alone."""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone that the hours are meant in."""
        return ZoneInfo(self.time_zone)


def _share_or_count(given: Any) -> Any:
    if isinstance(given, str) and given.endswith("%"):
        return given.replace(" ", "")
    return given


Budget = Annotated[
    Annotated[int, Field(ge=1)]
    | Annotated[str, Field(pattern=r"^([1-9][0-9]?|100)%$", examples=["10%"])],
    BeforeValidator(_share_or_count),
    Field(description="A number, or a share of all: 10%."),
]
