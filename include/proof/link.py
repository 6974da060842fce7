"""Go on from proofs that are there: the one before, and an earlier one of the same day."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from include.proof.chain import body_of
from include.proof.document import ExceptionProof, GateCount, Previous

_SPOILT = (ValueError, KeyError, TypeError, AttributeError)
_WELL = ("rotated", "left out")


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """What a proof takes over from the one before it."""

    previous: Previous | None = None
    gate: GateCount = field(default_factory=GateCount)
    notes: tuple[str, ...] = ()


def link_to(day: str, text: str) -> Link:
    """Return the link to the proof of *day*; a spoilt one is kept as it is, and told."""
    try:
        file = body_of(text)
        gate = GateCount.model_validate(file["proof"]["gate"]["in_all"])
        return Link(previous=Previous(day=day, hash=file["seal"]["hash"]), gate=gate)
    except _SPOILT as error:
        note = f"the proof of {day} is none any more ({error}): restore it, or find out who did it"
        kept = Previous(day=day, hash=sha256(text.encode()).hexdigest())
        return Link(previous=kept, notes=(note,))


def reasons_in(text: str) -> dict[str, str]:
    """Return the services that were not rotated by a proof of the day, and why; none if spoilt."""
    try:
        services = body_of(text)["proof"]["services"]
        return {s["name"]: s["reason"] for s in services if s["state"] not in _WELL}
    except _SPOILT:
        return {}


def exceptions_in(text: str) -> tuple[ExceptionProof, ...]:
    """Return the exceptions of a proof of the day; none if spoilt."""
    try:
        found = body_of(text)["proof"]["exceptions"]
        return tuple(ExceptionProof.model_validate(each) for each in found)
    except _SPOILT:
        return ()
