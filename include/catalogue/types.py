"""The small types of a catalogue file: names, ports and durations that people can read."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

# a date in names of files and in forms; here, where a form has it without all that a proof imports
DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = r"^[0-9]{1,6}(s|m|h|d)$"
_CLASS_PATH = r"^([A-Za-z_][A-Za-z0-9_]*\.)+[A-Za-z_][A-Za-z0-9_]*$"
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


class Part(BaseModel):
    """Base of every part of a catalogue file: no unknown keys, no change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_duration(text: object) -> timedelta:
    """Return the duration that *text* ("90s", "10m", "24h", "7d") stands for."""
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str) or not re.match(_DURATION, text):
        raise ValueError('write a number and a unit: "90s", "10m", "24h" or "7d"')
    return timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])


def write_duration(duration: timedelta) -> str:
    """Return *duration* in the largest unit that holds it without a remainder."""
    seconds = int(duration.total_seconds())
    unit = next(u for u in ("d", "h", "m", "s") if seconds % _UNITS[u] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def _class_path(text: str) -> str:
    if not re.fullmatch(_CLASS_PATH, text):
        example = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
        raise ValueError(f"write module and class, such as {example}, not {text!r}")
    return text


def _above_zero(duration: Any) -> timedelta:
    if (found := read_duration(duration)) <= timedelta(0):
        raise ValueError("must be longer than 0s")
    return found


# The description of a type is its shape; in a schema it follows what the field is for.
Duration = Annotated[
    timedelta,
    BeforeValidator(_above_zero),
    PlainSerializer(write_duration, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": _DURATION,
            "examples": ["90s", "10m", "24h"],
            "description": "A number and a unit: 90s, 10m, 24h or 7d.",
        }
    ),
]
# 40 leaves room for "-<7 characters of rollout>-<slot>" in a DNS label of 63.
ServiceName = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$",
        description="At most 40 lower-case letters, digits and hyphens.",
    ),
]
# What Debian accepts as a version.
Release = Annotated[
    str,
    Field(
        pattern=r"^[0-9][A-Za-z0-9.+~:-]*$",
        max_length=64,
        description='A version as Debian has them, in quotes: "1.0".',
    ),
]
DomainName = Annotated[
    str,
    Field(
        pattern=rf"^{_LABEL}(\.{_LABEL})+$",
        max_length=253,
        description="In lower case, without a dot at the end: cloud.example.org.",
    ),
]
PackageName = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]+$", description="As Debian names packages: shop-app.")
]
PuppetName = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_]*(::[a-z][a-z0-9_]*)*$",
        description="As Puppet names things: shop, or web::shop.",
    ),
]
ShortName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$",
        description="At most 128 letters, digits, underscores, dots and hyphens.",
    ),
]
ClassPath = Annotated[
    str,
    AfterValidator(_class_path),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": _CLASS_PATH,
            "description": "Module and class, with dots between: a.module.AClass.",
        }
    ),
]
Sentence = Annotated[
    str, Field(min_length=1, max_length=500, description="At most 500 characters.")
]
Port = Annotated[int, Field(ge=1, le=65535, description="1 to 65535.")]
