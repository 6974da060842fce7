"""Render a plan once: the same text goes to log, approval, notification and dry run."""

from __future__ import annotations

from collections.abc import Iterator

from include.planner.model import Plan


def as_markdown(plan: Plan) -> str:
    """Return *plan* as Markdown, for people."""
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    yield f"### {plan.service}: {_from(plan)} ({plan.strategy}, rollout {plan.rollout})"
    yield ""
    if plan.reason:
        yield f"Why: {plan.reason}  "
    yield _sum(plan)
    yield from _table(plan)
    yield from _numbered(plan)
    yield from _notes(plan)


def _from(plan: Plan) -> str:
    seen = {vm.release for vm in plan.old} | {vm.release for vm in plan.kept}
    before = sorted(seen - {plan.release})
    if plan.replicas == 0:
        return "retire the service"
    return f"{', '.join(before)} → {plan.release}" if before else f"release {plan.release}"


def _sum(plan: Plan) -> str:
    lots = {"new": plan.new, "old": plan.old, "kept": plan.kept, "left over": plan.leftovers}
    return f"{plan.replicas} replicas: " + ", ".join(
        f"{len(vms)} {lot}" for lot, vms in lots.items()
    )


def _table(plan: Plan) -> Iterator[str]:
    rows = [*_rows(plan)]
    if rows:
        yield from ("", "| VM | release | what | why |", "|---|---|---|---|", *rows)


def _rows(plan: Plan) -> Iterator[str]:
    for new in plan.new:
        yield f"| {new.name} | {new.release} | {'canary' if new.canary else 'new'} | {new.reason} |"
    for left in plan.leftovers:
        yield f"| {left.name} | {left.release} | left over | {left.reason} |"
    for old in plan.old:
        yield f"| {old.name} | {old.release} | old | {old.reason} |"
    for kept in plan.kept:
        yield f"| {kept.name} | {kept.release} | kept | {kept.reason} |"


def _numbered(plan: Plan) -> Iterator[str]:
    moves = [move for move in plan.moves if move.verb != "keep"]
    if moves:
        yield ""
        yield from (f"{number}. {move}" for number, move in enumerate(moves, start=1))


def _notes(plan: Plan) -> Iterator[str]:
    if plan.notes:
        yield ""
        yield from (f"- {note}" for note in plan.notes)
