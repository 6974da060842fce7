"""The moves of a rollout. Each names its VMs and says why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from include.planner.model import Plan


@dataclass(frozen=True, slots=True)
class _Step:
    vms: tuple[str, ...]
    reason: str

    @property
    def verb(self) -> str:
        """The move in one lower-case word."""
        return type(self).__name__.lower()

    def __str__(self) -> str:
        return f"{self.verb} {', '.join(self.vms)}: {self.reason}"


class Create(_Step):
    """Make the VM, publish it in DNS, enrol and monitor it."""


class Keep(_Step):
    """Leave the VM alone."""


class Join(_Step):
    """Take the VM into the balancer."""


class Watch(_Step):
    """See that the VM stays healthy under traffic."""


class Drain(_Step):
    """Give the VM no new sessions and let the old ones finish."""


class Undrain(_Step):
    """Give the drained VM new sessions again."""


class Retire(_Step):
    """Take the VM out for good, from every system."""


Move = Create | Keep | Join | Watch | Drain | Undrain | Retire


def story(plan: Plan) -> tuple[Move, ...]:
    """Return all moves of *plan* in their order, as a reader wants to hear them."""
    if plan.pairs:
        return (*_beginning(plan), *_in_turn(plan))
    return (*_beginning(plan), *_coming(plan), *_going(plan))


def _beginning(plan: Plan) -> Iterator[Move]:
    for kept in plan.kept:
        yield Keep((kept.name,), kept.reason)
    for left in plan.leftovers:
        yield Retire((left.name,), left.reason)


def _coming(plan: Plan) -> Iterator[Move]:
    canaries = tuple(vm.name for vm in plan.new if vm.canary)
    others = tuple(vm.name for vm in plan.new if not vm.canary)
    if plan.new:
        yield Create((*canaries, *others), f"{len(plan.new)} new for {plan.replicas} replicas")
    if canaries:
        yield Join(canaries, "the canary goes first")
        yield Watch(canaries, "the others join when the canary stays healthy")
    if others:
        yield Join(others, "in DNS, enrolled and monitored")


def _going(plan: Plan) -> Iterator[Move]:
    old = tuple(vm.name for vm in plan.old)
    if old:
        others = len(plan.new) + len(plan.kept)
        yield Drain(old, f"{others} others serve, {plan.replicas} wanted")
    if plan.watched and (old or plan.new):
        way_back = " while the old VMs still run: the way back is open" if old else ""
        yield Watch(plan.watched, f"healthy under traffic{way_back}")
    for vm in plan.old:
        yield Retire((vm.name,), vm.reason)


def _in_turn(plan: Plan) -> Iterator[Move]:
    """One replacement after the other."""
    for pair in plan.pairs:
        for new in (vm for vm in plan.new if vm.name == pair.new):
            first = "the canary goes first" if new.canary else new.reason
            yield Create((new.name,), first)
            yield Join((new.name,), "in DNS, enrolled and monitored")
            yield Watch((new.name,), "healthy under traffic before the next VM goes")
        for old in (vm for vm in plan.old if vm.vm_id == pair.old):
            yield Drain((old.name,), f"{pair.new} serves" if pair.new else "enough others serve")
            yield Retire((old.name,), old.reason)
