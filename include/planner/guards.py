"""Ask right before an act whether it is safe now, on a fresh look at the world.

Answers: done = go ahead; pending = not now, look again; failed = never in this rollout.
"""

from __future__ import annotations

from collections.abc import Iterable

from include.catalogue.model import Service
from include.facts import Member
from include.planner.condition import (
    ceiling,
    count_serving,
    existing,
    faults_before_traffic,
    least_before,
    needed,
)
from include.planner.model import NewVm, OldVm, Plan, Seen, SeenVm
from include.planner.window import (
    claimed,
    may_begin,
    may_do_without,
    may_take_back,
    pair_of,
    too_young,
    unsettled,
)
from include.verdict import Verdict, done, failed, pending


def may_create(service: Service, plan: Plan, seen: Seen, name: str) -> Verdict:
    """Return whether there is room for one more VM, counting unknown and terminating ones."""
    if blind := _blind(seen):
        return blind
    if name not in {vm.name for vm in plan.new}:
        return failed(f"{name} is not a new VM of rollout {plan.rollout}")
    if seen.get(name):
        return done(f"{name} is there already")
    if (
        plan.pairs
        and (turn := may_begin(service, plan, seen, pair_of(plan, name))).status != "done"
    ):
        return turn
    return _has_room(service, plan, seen, name)


def may_start(service: Service, plan: Plan, seen: Seen, name: str) -> Verdict:
    """Return whether it is the turn of a replacement: of a VM that comes, or one that only goes."""
    if blind := _blind(seen):
        return blind
    if any(vm.name == name for vm in plan.new):
        return may_create(service, plan, seen, name)
    return may_begin(service, plan, seen, pair_of(plan, name))


def may_join(service: Service, plan: Plan, seen: Seen, name: str) -> Verdict:
    """Return whether a VM may take traffic: running, in DNS, enrolled, monitored, not critical."""
    if blind := _blind(seen):
        return blind
    vm = seen.get(name)
    if vm is None:
        return failed(f"{name} does not exist")
    if _among(plan.leftovers, vm):
        return failed(f"{name} is left over from rollout {vm.rollout}")
    if wrong := faults_before_traffic(service, vm):
        return pending(f"{name} {wrong[0]}")
    return done(f"{name} is in DNS, enrolled and monitored")


def may_drain(service: Service, plan: Plan, seen: Seen, name: str) -> Verdict:
    """Return whether a VM may stop to take new sessions.

    An old VM: enough serve without ANY of the old ones, so that many may ask at once. A new VM
    (rollback): the old ones serve again.
    """
    if blind := _blind(seen):
        return blind
    if name in {vm.name for vm in plan.new}:
        return _old_ones_serve(service, plan, seen)
    if name not in {vm.name for vm in plan.old}:
        return failed(f"{name} is not an old VM of rollout {plan.rollout}")
    if early := _unsettled(service, plan, seen, name):
        return pending(early)
    return _enough_without_old(service, plan, seen, name)


def too_early(service: Service, plan: Plan, members: Iterable[Member], name: str) -> str:
    """Return what of `may_drain` only takes its time, by the pool alone; nothing when that is over.

    A wait that looks every second asks one system for it instead of all of them.
    """
    if name not in {vm.name for vm in plan.old}:
        return ""
    there = {member.name: member for member in members}
    said = (_settling(service, there.get(new.name), new) for new in _taking_over(plan, name))
    return next(filter(None, said), "")


def _settling(service: Service, member: Member | None, new: NewVm) -> str:
    if member is None or member.state != "up":
        return f"{new.name} does not serve yet"
    return too_young(member, service.watch.settle)


def may_retire(
    service: Service, plan: Plan, seen: Seen, name: str, *, drained: bool = False
) -> Verdict:
    """Return whether a VM may go for good. *drained* says that its drain has ended, in time or not.

    Old VMs: enough serve without them. New ones (rollback): they are out of the pool, or the old
    ones serve again. Leftovers: they still take no traffic.
    """
    if blind := _blind(seen):
        return blind
    vm = seen.get(name)
    if vm is None:
        return done(f"{name} is gone already")
    if busy := _traffic(vm, drained=drained):
        return pending(busy)
    return _others_can_do_without(service, plan, seen, vm)


def _others_can_do_without(service: Service, plan: Plan, seen: Seen, vm: SeenVm) -> Verdict:
    name = vm.name
    if _among(plan.leftovers, vm):
        return done(f"{name} takes no traffic")
    if name in {new.name for new in plan.new} and vm.member is None:
        return done(f"{name} is in no pool")
    if name in {new.name for new in plan.new}:
        return _old_ones_serve(service, plan, seen)
    if _among(plan.old, vm):
        return _enough_without_old(service, plan, seen, name)
    return failed(f"{name} (vm {vm.vm_id}) is not in the plan of rollout {plan.rollout}")


def _has_room(service: Service, plan: Plan, seen: Seen, name: str) -> Verdict:
    there, limit = existing(seen), ceiling(service, plan)
    if plan.pairs:
        there += claimed(service, plan, seen, pair_of(plan, name))
    if there >= limit:
        return pending(f"no room for {name}: {there} VMs exist, {limit} are allowed")
    return done(f"{there} VMs + 1 ≤ {limit} allowed")


def _blind(seen: Seen) -> Verdict | None:
    return None if seen.complete else pending("cannot see: " + "; ".join(seen.unreadable))


def _among(vms: Iterable[OldVm], vm: SeenVm) -> bool:
    return (vm.name, vm.vm_id) in {(old.name, old.vm_id) for old in vms}


def _traffic(vm: SeenVm, *, drained: bool) -> str:
    """Return what traffic a VM has, or nothing."""
    member = vm.member
    if member is None or member.state == "maint":
        return ""
    if member.state in ("up", "starting"):
        return f"{vm.name} is {member.state} in pool {member.pool}: drain it first"
    if drained or not (member.connections or member.sessions):
        return ""
    return f"{vm.name} still has {member.sessions} sessions, {member.connections} connections"


def _unsettled(service: Service, plan: Plan, seen: Seen, old: str) -> str:
    """Return which new VM does not serve, or not for long enough, or nothing."""
    said = (unsettled(service, seen, new, service.watch.settle) for new in _taking_over(plan, old))
    return next(filter(None, said), "")


def _taking_over(plan: Plan, old: str) -> list[NewVm]:
    """Return the new VMs that have to serve before *old* may go. Rolling: the one of its pair."""
    after = {pair_of(plan, old).new} if plan.pairs else {vm.name for vm in plan.new}
    return [new for new in plan.new if new.name in after]


def _enough_without_old(service: Service, plan: Plan, seen: Seen, name: str) -> Verdict:
    if plan.pairs:
        old = next(vm for vm in plan.old if vm.name == name)
        return may_do_without(service, plan, seen, old)
    going = {(vm.name, vm.vm_id) for vm in (*plan.old, *plan.leftovers)}
    staying = count_serving(service, (v for v in seen.vms if (v.name, v.vm_id) not in going))
    least = needed(service, plan)
    if staying < least:
        return pending(f"{staying} others serve < {least} needed")
    return done(f"{staying} others serve ≥ {least} needed")


def _old_ones_serve(service: Service, plan: Plan, seen: Seen) -> Verdict:
    """Rollback: as many serve as before the rollout, or as many as are needed.

    Where old VMs have died meanwhile, new ones that answer badly are better than none: they stay.
    """
    if plan.pairs:
        return may_take_back(service, plan, seen)
    before = {vm.name for vm in plan.old if vm.is_way_back} | {vm.name for vm in plan.kept}
    serving = count_serving(service, (vm for vm in seen.vms if vm.name in before))
    least = least_before(service, plan, len(before))
    if serving < least:
        return pending(f"{serving} of the VMs from before serve < {least} needed")
    return done(f"{serving} of the VMs from before serve ≥ {least} needed")
