"""The way back, while there is one: the old VMs serve again, then the new ones go."""

from __future__ import annotations

from collections.abc import Iterator

from include.catalogue.model import Service
from include.planner.condition import faults_before_traffic
from include.planner.errors import CannotSee, TooLate
from include.planner.model import OldVm, Plan, Seen
from include.planner.moves import Drain, Join, Move, Retire, Undrain


def past_return(plan: Plan, seen: Seen) -> str | None:
    """Return the irreversible step that was taken, or None while there is a way back.

    A certificate cannot be un-revoked and a VM not un-terminated. VMs that did not serve when the
    plan was made are no way back, so they do not count.
    """
    for old in (vm for vm in plan.old if vm.serving):
        vm = seen.get(old.name)
        if vm is None or vm.phase == "stopping":
            return f"{old.name} is gone"
        if not vm.enrolled:
            return f"the certificate of {old.name} is revoked"
    return None


def roll_back(service: Service, plan: Plan, seen: Seen) -> tuple[Move, ...]:
    """Return the moves back, in order; raises `TooLate` after the first irreversible step.

    Ask `may_drain` and `may_retire` before each Drain and Retire: they wait for the old VMs.
    """
    if not seen.complete:
        raise CannotSee("cannot see all of it: " + "; ".join(seen.unreadable))
    if why := past_return(plan, seen):
        raise TooLate(f"no way back, {why}: let the rollout go on, or start a new one")
    back = (move for old in plan.old if old.serving for move in _back(service, old, seen))
    return (*back, *_away(plan, seen))


def _back(service: Service, old: OldVm, seen: Seen) -> Iterator[Move]:
    vm = seen.get(old.name)
    if service.balancer is None or vm is None or vm.phase != "running":
        return
    if vm.member and vm.member.state == "drain":
        yield Undrain((old.name,), "it still runs: the way back")
    if vm.member is None or vm.member.state == "maint":
        wrong = faults_before_traffic(service, vm)
        yield Join((old.name,), f"it left the pool{'; ' + wrong[0] if wrong else ''}: the way back")


def _away(plan: Plan, seen: Seen) -> Iterator[Move]:
    there = [vm for new in plan.new if (vm := seen.get(new.name))]
    in_pool = tuple(
        vm.name for vm in there if vm.member and vm.member.state not in ("drain", "maint")
    )
    if in_pool:
        yield Drain(in_pool, f"release {plan.release} is taken back")
    if there:
        yield Retire(tuple(vm.name for vm in there), f"release {plan.release} is taken back")
