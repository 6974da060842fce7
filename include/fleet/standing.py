"""How each service stands in the rotation of a day, from one look to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from include.fleet.plan import Left

PUT_OFF = "put off"  # it could not be started, or not yet: others go first
UNABLE = "unable"  # it could not be started and will not be
LEFT = "left"  # it is not to be touched any more


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A service whose turn has come; of others nothing is known."""

    state: str  # what Airflow says of its run, or one of those above
    why: str = ""  # it was put off, or cannot be started
    times: int = 0  # that it was put off
    not_before: float = 0  # epoch seconds: then it may be tried again
    left: Left | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data: of nearly all of them that is the state alone."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return what `to_json` made *data* of."""
        left = data.get("left")
        return cls(**{**data, "left": Left(**left) if left else None})


def as_json(standings: Mapping[str, Standing]) -> dict[str, dict[str, Any]]:
    """Return all of them as plain data."""
    return {service: standing.to_json() for service, standing in standings.items()}


def from_json(data: Mapping[str, Mapping[str, Any]]) -> dict[str, Standing]:
    """Return what `as_json` made *data* of."""
    return {service: Standing.from_json(each) for service, each in data.items()}
