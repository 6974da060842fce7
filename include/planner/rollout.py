"""Decide a rollout: from what is seen and wanted to a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from include.catalogue.model import Service
from include.planner.condition import count_serving, is_only_drained, serves
from include.planner.goal import Goal, set_goal
from include.planner.model import KeptVm, NewVm, OldVm, Plan, Seen, SeenVm, Wanted
from include.planner.names import vm_name
from include.planner.pairs import pair_up
from include.planner.safety import refuse_the_unclear, refuse_the_unsafe
from include.planner.sort import Sorted, sort_vms


def plan_rollout(service: Service, wanted: Wanted, seen: Seen, rollout: str, now: datetime) -> Plan:
    """Return the plan that brings *service* from *seen* to *wanted*; raises a `PlanError`.

    What an earlier attempt of this very rollout made is adopted, so a cleared run goes on where
    it stopped. *now* has a time zone.
    """
    refuse_the_unclear(seen, force=wanted.force)
    goal = set_goal(service, wanted, seen, rollout, now)
    plan = _write(goal, wanted, seen, sort_vms(goal, seen))
    if plan.strategy == "rolling":
        plan = replace(plan, pairs=pair_up(service, plan, seen))
    refuse_the_unsafe(service, plan, force=wanted.force)
    return plan


def _write(goal: Goal, wanted: Wanted, seen: Seen, found: Sorted) -> Plan:
    # Who drains a VM by hand wants it so. But once a VM of this rollout was in the pool it may have
    # been an earlier attempt, whose way back failed: a second one has to know these for its own.
    is_resumed = any(vm.rollout == goal.rollout and vm.member for vm in seen.vms)
    return Plan(
        service=goal.service.name,
        rollout=goal.rollout,
        release=goal.release,
        replicas=goal.replicas,
        strategy=goal.service.strategy,
        replace=goal.replace,
        reason=wanted.reason,
        new=_new(goal, found),
        leftovers=tuple(_old(goal, vm, why) for vm, why in found.leftovers),
        old=tuple(_old(goal, vm, why, is_resumed=is_resumed) for vm, why in found.old),
        kept=tuple(_kept(vm, why) for vm, why in found.kept),
        notes=_notes(goal, seen, found),
        before=tuple(sorted(vm.vm_id for vm in seen.vms)),
        since=seen.next_id,
    )


def _new(goal: Goal, found: Sorted) -> tuple[NewVm, ...]:
    canaries = found.slots[: _canaries(goal, found)]
    return tuple(_new_vm(goal, found, slot, canary=slot in canaries) for slot in found.slots)


def _canaries(goal: Goal, found: Sorted) -> int:
    """A canary protects those who are served; before the first deployment there is nobody."""
    before: Sequence[SeenVm] = [vm for vm, _ in (*found.old, *found.kept)]
    return goal.service.canary.count if count_serving(goal.service, before) else 0


def _new_vm(goal: Goal, found: Sorted, slot: int, *, canary: bool) -> NewVm:
    name = vm_name(goal.service.name, goal.rollout, slot)
    adopted = found.adopted.get(slot)
    return NewVm(
        name=name,
        fqdn=goal.service.fqdn(name),
        slot=slot,
        release=goal.release,
        canary=canary,
        vm_id=adopted.vm_id if adopted else None,
        reason=_why_new(found, slot),
    )


def _why_new(found: Sorted, slot: int) -> str:
    if vm := found.adopted.get(slot):
        return f"an earlier attempt of this rollout made it (vm {vm.vm_id}, {vm.state})"
    before = [vm.name for vm, _ in found.old if vm.slot == slot]
    return f"takes over from {', '.join(before)}" if before else f"slot {slot} is empty"


def _old(goal: Goal, vm: SeenVm, why: str, *, is_resumed: bool = False) -> OldVm:
    return OldVm(
        name=vm.name,
        fqdn=vm.fqdn,
        slot=vm.slot,
        rollout=vm.rollout,
        release=vm.release,
        vm_id=vm.vm_id,
        address=vm.address,
        serving=serves(goal.service, vm),
        reason=why,
        enrolled=vm.enrolled,
        port=vm.member.port if vm.member else None,
        drained=is_resumed and is_only_drained(goal.service, vm),
    )


def _kept(vm: SeenVm, why: str) -> KeptVm:
    return KeptVm(
        name=vm.name, fqdn=vm.fqdn, slot=vm.slot, release=vm.release, vm_id=vm.vm_id, reason=why
    )


def _notes(goal: Goal, seen: Seen, found: Sorted) -> tuple[str, ...]:
    left_alone = (f"left alone: {vm.name} (vm {vm.vm_id}) {vm.why}" for vm in seen.foreign)
    twins = (f"left to create_vm: vm {vm.vm_id} is a twin of {vm.name}" for vm in found.twins)
    nothing = not (found.slots or found.leftovers or found.old)
    idle = (f"nothing to do: {_state_of_rest(goal, found)}",) if nothing else ()
    return (*goal.notes, *left_alone, *twins, *idle)


def _state_of_rest(goal: Goal, found: Sorted) -> str:
    if not found.kept:
        return f"{goal.service.name} has no VMs, and 0 replicas are wanted"
    releases = ", ".join(sorted({vm.release for vm, _ in found.kept}))
    return f"{len(found.kept)} of {goal.replicas} VMs serve at release {releases}"
