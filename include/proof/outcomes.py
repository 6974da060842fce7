"""Say what became of each service on a day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from include.fleet import RotationPlan
from include.front_doors import rollout_dag
from include.proof.document import ExceptionProof, Run, ServiceProof
from include.proof.findings import Findings, Try

_STATES = {"success": "rotated", "failed": "failed"}


def outcomes(plan: RotationPlan, found: Findings) -> Iterator[ServiceProof]:
    """Yield what became of each service that day, by name."""
    rotations = {name: _rotation(name, found) for name in _rotated(plan, found)}
    left = {
        e.service: ServiceProof(name=e.service, state="left out", reason=e.reason)
        for e in plan.left
        if e.service not in rotations
    }
    unknown = {
        name: ServiceProof(name=name, state="failed", reason=why)
        for name, why in found.unknown.items()
    }
    every = {**unknown, **rotations, **left}
    yield from (every[name] for name in sorted(every))


def _rotated(plan: RotationPlan, found: Findings) -> Iterator[str]:
    """Yield the services that had a turn that day.

    A run for some services tells nothing new of the others, and a later run of the day has no turn
    for those whose window is over: what became of theirs stands. With an exception somebody has
    answered for it.
    """
    yield from (turn.service for turn in plan.turns)
    told = {name for name, tries in found.tries.items() if tries}
    held = found.held.keys() - {left.service for left in plan.left if left.kind == "empty"}
    others = [turn.service for turn in plan.others]
    left = [left.service for left in plan.left if left.kind != "exception"]
    yield from (name for name in (*others, *left) if name in told | held)


def unseen(
    services: Sequence[ServiceProof], exceptions: Sequence[ExceptionProof], found: Findings
) -> Iterator[str]:
    """Yield which services have a line of their own, and VMs that nobody could look at."""
    excepted = {each.service for each in exceptions}
    for service in services:
        why = found.unknown.get(service.name)
        if why and service.reason != why and service.name not in excepted:
            yield f"{service.name}: its VMs are missing here: {why}"


def _rotation(service: str, found: Findings) -> ServiceProof:
    tries = found.tries.get(service)
    if not tries:
        why = found.held.get(service, "")
        return ServiceProof(name=service, state="not started", reason=why)
    return ServiceProof(
        name=service,
        state=_STATES.get(tries[-1].state, "still running"),
        reason=_reason(tries),
        run=Run(dag_id=rollout_dag(service), run_id=tries[-1].run_id),
    )


def _reason(tries: Sequence[Try]) -> str:
    """Return why it failed each time; who was rotated at a later try should have been at once."""
    why = "; then again: ".join(each.failed.why for each in tries if each.failed)
    return f"not at once: {why}" if why and tries[-1].state == "success" else why
