"""Sort the VMs that are seen: which stay, which are ours already, which go first and which last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, islice

from include.catalogue.types import write_duration
from include.planner.condition import carries, count_serving, faults
from include.planner.goal import Goal
from include.planner.model import Seen, SeenVm

# What can still become a whole VM. One that failed or is on its way out is made anew.
_ADOPTABLE = frozenset({"held", "pending", "starting", "running", "unknown"})

Reasoned = tuple[tuple[SeenVm, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sorted:
    """Every VM of the service in one of four lots, and the slots that get a new VM."""

    kept: Reasoned
    slots: tuple[int, ...]  # of new VMs, adopted ones included
    adopted: Mapping[int, SeenVm]  # by slot
    leftovers: Reasoned
    old: Reasoned
    twins: tuple[SeenVm, ...]  # second VMs under the name of one that stays


def sort_vms(goal: Goal, seen: Seen) -> Sorted:
    """Return where each VM of the service belongs."""
    kept = _kept(goal, seen)
    adopted = _adopted(goal, seen, kept)
    slots = _slots(goal, kept, adopted)
    staying = (*kept.values(), *adopted.values())
    names, ids = {vm.name for vm in staying}, {vm.vm_id for vm in staying}
    rest = [vm for vm in seen.vms if vm.name not in names]
    first, last = _part(goal, seen, rest)
    return Sorted(
        kept=tuple((vm, _why_kept(goal, vm)) for vm in kept.values()),
        slots=slots,
        adopted=adopted,
        leftovers=tuple((vm, _why_left_over(goal, vm)) for vm in first),
        old=tuple((vm, _why_old(goal, vm, kept)) for vm in last),
        twins=tuple(vm for vm in seen.vms if vm.name in names and vm.vm_id not in ids),
    )


def _kept(goal: Goal, seen: Seen) -> dict[int, SeenVm]:
    """Return the VMs that stay, by slot: whole ones, lowest slots first, one for each slot."""
    best: dict[int, SeenVm] = {}
    for vm in sorted(seen.vms, key=lambda vm: (vm.release == goal.release, vm.created_at)):
        stays = _has_taken_over(goal, seen, vm) if vm.rollout == goal.rollout else None
        if stays or (stays is None and not _why_replaced(goal, vm)):
            best[vm.slot] = vm
    return {slot: best[slot] for slot in sorted(best)[: goal.replicas]}


def _has_taken_over(goal: Goal, seen: Seen, vm: SeenVm) -> bool:
    """Whether what this rollout made is whole, and its slot has nothing else to go back to.

    As a new VM it would be taken away if another one failed now.
    """
    slot = (each for each in seen.vms if each.slot == vm.slot and carries(goal.service, each))
    others = {each.name for each in slot} - {vm.name}
    return not others and vm.release == goal.release and not faults(goal.service, vm)


def _adopted(goal: Goal, seen: Seen, kept: Mapping[int, SeenVm]) -> dict[int, SeenVm]:
    """Return what this very rollout made before, by slot; of twins the lowest id."""
    made = {
        vm.slot: vm
        for vm in sorted(seen.vms, key=lambda vm: -vm.vm_id)
        if _is_ours_already(goal, vm) and vm.slot not in kept
    }
    return {slot: made[slot] for slot in sorted(made)[: goal.replicas - len(kept)]}


def _is_ours_already(goal: Goal, vm: SeenVm) -> bool:
    same = vm.rollout == goal.rollout and vm.release == goal.release
    return same and vm.phase in _ADOPTABLE


def _slots(
    goal: Goal, kept: Mapping[int, SeenVm], adopted: Mapping[int, SeenVm]
) -> tuple[int, ...]:
    taken = {*kept, *adopted}
    free = (slot for slot in count() if slot not in taken)
    return tuple(sorted((*adopted, *islice(free, goal.replicas - len(taken)))))


def _part(
    goal: Goal, seen: Seen, rest: Iterable[SeenVm]
) -> tuple[tuple[SeenVm, ...], tuple[SeenVm, ...]]:
    """Part the VMs that go into those that go first and those that go last.

    Nobody depends on a VM outside the pool, so it goes first and makes room. But where too few
    serve, the balancer may have lost its members: then a VM that could serve goes last.
    """
    least = max(1, goal.replicas - goal.service.max_unavailable)
    enough = count_serving(goal.service, seen.vms) >= least
    last = {vm.vm_id for vm in rest if carries(goal.service, vm) or (not enough and _could(vm))}
    by_slot = sorted(rest, key=lambda vm: (vm.slot, vm.created_at, vm.vm_id))
    return (
        tuple(vm for vm in by_slot if vm.vm_id not in last),
        tuple(vm for vm in by_slot if vm.vm_id in last),
    )


def _could(vm: SeenVm) -> bool:
    return vm.phase == "running" and vm.enrolled


def _why_replaced(goal: Goal, vm: SeenVm) -> str:
    """Return why a VM cannot stay as it is, or nothing."""
    if wrong := faults(goal.service, vm):
        return wrong[0]
    if goal.replace == "none" or (goal.slots and vm.slot not in goal.slots):
        return ""
    if vm.release != goal.release:
        return f"release {vm.release} is not {goal.release}"
    age = goal.now - vm.created_at
    if age > goal.service.max_age:
        return f"{_hours(age)} old, max_age is {write_duration(goal.service.max_age)}"
    return f"rotation: {_hours(age)} old" if goal.replace == "all" else ""


def _why_old(goal: Goal, vm: SeenVm, kept: Mapping[int, SeenVm]) -> str:
    if goal.replicas == 0:
        return "0 replicas are wanted: the service retires"
    if why := _why_replaced(goal, vm):
        return why
    if vm.slot in kept:
        return f"slot {vm.slot} is filled by {kept[vm.slot].name}"
    return f"slot {vm.slot} is not wanted: {goal.replicas} replicas"


def _why_left_over(goal: Goal, vm: SeenVm) -> str:
    origin = "an earlier attempt" if vm.rollout == goal.rollout else f"rollout {vm.rollout}"
    wrong = faults(goal.service, vm)
    return f"left over from {origin}: {wrong[0] if wrong else 'takes no traffic'}"


def _why_kept(goal: Goal, vm: SeenVm) -> str:
    if vm.rollout == goal.rollout:
        return "this rollout made it, and it is whole"
    return f"serves, release {vm.release}, {_hours(goal.now - vm.created_at)} old"


def _hours(age: timedelta) -> str:
    return f"{age.total_seconds() / 3600:.0f} h"
