"""Decide which rotations start now: everything that fits into the budgets and may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from include.catalogue.fleet import Budgets
from include.facts import ACTIVE
from include.fleet.plan import RotationPlan, Turn
from include.fleet.standing import LEFT, PUT_OFF, UNABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far one service is: its run's state, its new VMs that run, and who else is at it."""

    state: str = ""  # as in `Standing`; "": its turn has not come
    running_vms: int = 0
    others: int = 0  # runs of its DAG that are not ours and have not ended
    not_before: float = 0  # epoch seconds, of one that was put off

    @property
    def active(self) -> bool:
        """Whether its rotation is under way."""
        return self.state in ACTIVE

    @property
    def ended(self) -> bool:
        """Whether its rotation is over."""
        return self.state in ("success", "failed", LEFT, UNABLE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What may be under way at once."""

    services: int
    vms_above_plan: int
    vms_waiting: int
    failures: int

    def exceeded_by(self, turn: Turn) -> bool:
        """Whether a service is too large to ever go beside another."""
        return turn.vms > min(self.vms_above_plan, self.vms_waiting)

    @classmethod
    def of(cls, budgets: Budgets, plan: RotationPlan) -> Budget:
        """Return the budgets of `fleet.yaml`, with what the plan of the day has settled."""
        return cls(
            services=plan.at_once or budgets.services,
            vms_above_plan=budgets.vms_above_plan,
            vms_waiting=budgets.vms_waiting,
            failures=plan.failures,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What to do now."""

    start: tuple[Turn, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict)  # service -> why it does not start
    active: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    spent: bool = False  # the failure budget is used up: nothing more is started
    over: bool = False  # nothing is under way, and nothing will start any more


def decide(
    plan: RotationPlan, progress: Mapping[str, Progress], budget: Budget, now: float
) -> Decision:
    """Return what starts now, what waits and why, and whether the day's rotation is over.

    A run of somebody else's on a service goes first. A service that is larger than a budget
    goes alone. One that could not be started, paused for example, says nothing of the others: it
    does not count against the failure budget.
    """
    known = {turn.service: progress.get(turn.service, Progress()) for turn in plan.turns}
    failed = tuple(name for name, p in known.items() if p.state == "failed")
    spent = len(failed) >= budget.failures
    active = [turn for turn in plan.turns if known[turn.service].active]
    waiting = [t for t in plan.turns if not (known[t.service].active or known[t.service].ended)]
    waiting.sort(key=lambda turn: known[turn.service].state == PUT_OFF)
    if spent:
        start, held = list[Turn](), {turn.service: _spent(failed) for turn in waiting}
    else:
        start, held = _choose(waiting, active, known, budget, now)
    closed = spent or all(_closed(turn, now) for turn in waiting if turn.service in held)
    return Decision(
        start=tuple(start),
        held=held,
        active=tuple(turn.service for turn in active),
        failed=failed,
        spent=spent,
        over=not active and not start and closed,
    )


def _choose(
    waiting: Sequence[Turn],
    active: Sequence[Turn],
    known: Mapping[str, Progress],
    budget: Budget,
    now: float,
) -> tuple[list[Turn], dict[str, str]]:
    """Return what starts, and why the others do not.

    One that has to go alone keeps those after it back once its time has come, or there would
    always be another one under way.
    """
    start: list[Turn] = []
    held: dict[str, str] = {}
    alone = ""
    for turn in waiting:
        why = _not_now(turn, known[turn.service], now)
        if not why:
            why = f"{alone} goes first, and alone" if alone else ""
            why = why or _no_room(turn, [*active, *start], known, budget)
            alone = alone or (turn.service if why and budget.exceeded_by(turn) else "")
        if why:
            held[turn.service] = why
        else:
            start.append(turn)
    return start, held


def _spent(failed: Sequence[str]) -> str:
    return f"the failure budget is spent: {', '.join(failed)} failed"


def _closed(turn: Turn, now: float) -> bool:
    return all(ends <= now for _, ends in turn.open)


def _not_now(turn: Turn, mine: Progress, now: float) -> str:
    if _closed(turn, now):
        return "its time was over before it could start"
    if not any(begins <= now < ends for begins, ends in turn.open):
        return "its time has not come"
    if now < mine.not_before:
        return "it was put off a while"
    return "another run of its rollout goes first" if mine.others else ""


def _no_room(
    turn: Turn, beside: Sequence[Turn], known: Mapping[str, Progress], budget: Budget
) -> str:
    if not beside:
        return ""
    if len(beside) >= budget.services:
        return f"{len(beside)} services are under way"
    above = sum(t.vms for t in beside)
    if above + turn.vms > budget.vms_above_plan:
        return f"{above} VMs above plan, and it needs {turn.vms}"
    waiting = sum(_waiting(t, known[t.service].running_vms) for t in beside)
    if waiting + turn.vms > budget.vms_waiting:
        return f"{waiting} VMs wait for OpenNebula, and it needs {turn.vms}"
    return ""


def _waiting(turn: Turn, running: int) -> int:
    """Return how many VMs of a rotation may wait at once: one that rolls asks for more later."""
    return min(turn.vms, max(0, turn.slots - running))
