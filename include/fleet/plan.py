"""The plan of one day's rotation: who is rotated, when at the earliest, and who is not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from include.catalogue.fleet import Fleet
from include.fleet.calendar import Span
from include.front_doors import rollout_dag


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One service's rotation: a run of its own DAG, by a name that the day and it derive."""

    service: str
    run_id: str
    vms: int  # that it makes beside the old ones
    slots: int  # that it replaces
    cloud: str  # the Connection of its OpenNebula
    open: tuple[Span, ...]

    @property
    def dag_id(self) -> str:
        """The DAG of a deployment, which a rotation is too."""
        return rollout_dag(self.service)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return what `asdict` and a trip through JSON made of a turn."""
        return cls(**{**data, "open": tuple((a, b) for a, b in data["open"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """A service that is not rotated today, and why. `until` is the first day when it is again."""

    service: str
    kind: Literal["exception", "blackout", "empty", "closed"]
    reason: str
    owner: str
    until: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RotationPlan:
    """What one day's rotation is to do."""

    day: str
    began: float  # epoch seconds
    ends: float  # after this nothing starts
    failures: int  # at which nothing more is started
    at_once: int = 0  # services under way at once; 0: as many as the fleet's budget says
    turns: tuple[Turn, ...] = ()
    others: tuple[Turn, ...] = ()  # those that this run was not asked for
    left: tuple[Left, ...] = ()

    @property
    def all_services(self) -> tuple[Turn | Left, ...]:
        """All services that the plan knows of, those that have no turn among them."""
        return (*self.turns, *self.others, *self.left)

    def only(self, asked: Collection[str], fleet: Fleet) -> Self:
        """Return the plan of a run that was asked for these services; for none: for all."""
        if not asked:
            return self
        mine = tuple(turn for turn in self.turns if turn.service in asked)
        others = tuple(turn for turn in self.turns if turn.service not in asked)
        failures = fleet.allowed_failures(len(mine))
        return replace(self, turns=mine, others=others, failures=failures)

    def without(self, left: Collection[Left]) -> Self:
        """Return the plan with services that were left out since it was made."""
        names = {each.service for each in left}
        turns = tuple(turn for turn in self.turns if turn.service not in names)
        return replace(self, turns=turns, left=(*self.left, *left))

    def limited(self, *, failures: int | None, at_once: int | None) -> Self:
        """Return the plan with the limits that somebody asked for in place of the fleet's."""
        return replace(self, failures=failures or self.failures, at_once=at_once or self.at_once)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the plan that `to_json` made *data* of."""
        turns, others = (tuple(Turn.from_json(t) for t in data[k]) for k in ("turns", "others"))
        left = tuple(Left(**each) for each in data["left"])
        return cls(**{**data, "turns": turns, "others": others, "left": left})
