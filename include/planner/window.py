"""The sliding window of `rolling`: whose turn it is, read off the world and not off a memory.

A replacement is whole when its new VM serves and has settled, and its old one is gone. Counts go
by the order of the pairs, so that several may ask at once: each leaves out what those before it
may be doing at this moment.
"""

from __future__ import annotations

from datetime import timedelta

from include.catalogue.model import Service
from include.facts import Member
from include.planner.condition import count_serving, least_before, needed, serves
from include.planner.model import NewVm, OldVm, Pair, Plan, Seen, SeenVm
from include.planner.pairs import window
from include.verdict import Verdict, done, pending


def watch_time(service: Service, *, canary: bool) -> timedelta:
    """Return how long one new VM is watched before its old one goes."""
    return max(service.canary.watch, service.watch.duration) if canary else service.watch.duration


def patience(service: Service) -> timedelta:
    """Return how long one replacement may take: each of its steps up to its own deadline."""
    cloud, puppet, watch = service.opennebula, service.puppet, service.watch
    up = cloud.boot_deadline + 2 * puppet.enrol_deadline + watch_time(service, canary=True)
    up += service.monitoring.deadline if service.monitoring else timedelta()
    join = service.balancer.join_deadline if service.balancer else timedelta()
    return up + 2 * join + watch.settle + service.drain.deadline + timedelta(minutes=30)  # retries


def pair_of(plan: Plan, name: str) -> Pair:
    """Return the replacement to which the VM *name* belongs."""
    ids = {vm.vm_id for vm in plan.old if vm.name == name}
    return next(pair for pair in plan.pairs if pair.new == name or pair.old in ids)


def may_begin(service: Service, plan: Plan, seen: Seen, pair: Pair) -> Verdict:
    """Return whether it is the turn of a replacement."""
    canaries = {vm.name for vm in plan.new if vm.canary}
    ahead = [p for p in _before(plan, pair) if not is_whole(service, plan, seen, p)]
    who, first = _told(plan, pair), [_told(plan, p) for p in ahead]
    if canary := next((p.new for p in ahead if p.new in canaries), None):
        return pending(f"{who} waits for the canary, {canary}")
    if len(ahead) >= window(service, plan):
        return pending(f"{who} waits for {', '.join(first)}")
    return done(f"it is the turn of {who}")


def claimed(service: Service, plan: Plan, seen: Seen, pair: Pair) -> int:
    """Return how many VMs those before *pair* may be making right now: their room is taken."""
    return sum(
        p.new is not None and seen.get(p.new) is None and not is_whole(service, plan, seen, p)
        for p in _before(plan, pair)
    )


def is_whole(service: Service, plan: Plan, seen: Seen, pair: Pair) -> bool:
    """Return whether a replacement is behind us."""
    if any(vm.vm_id == pair.old for vm in seen.vms):
        return False
    new = next((vm for vm in plan.new if vm.name == pair.new), None)
    return new is None or not unsettled(service, seen, new, _needed_time(service, new, pair))


def unsettled(service: Service, seen: Seen, new: NewVm, time: timedelta) -> str:
    """Return why a new VM cannot be relied on yet, or nothing."""
    vm = seen.get(new.name)
    if vm is None or not serves(service, vm):
        return f"{new.name} does not serve yet"
    return too_young(vm.member, time) if vm.member else ""


def too_young(member: Member, time: timedelta) -> str:
    """Return for how short a time a member has been in its present health, or nothing."""
    needed_s = time.total_seconds()
    if member.since_s >= needed_s:
        return ""
    return f"{member.name} serves for {member.since_s:.0f} s, {needed_s:.0f} s needed"


def may_do_without(service: Service, plan: Plan, seen: Seen, old: OldVm) -> Verdict:
    """Return whether enough serve without an old VM and without those that may go before it."""
    if _is_no_loss(service, old, seen.get(old.name)):
        return done(f"{old.name} does not serve")
    pair = pair_of(plan, old.name)
    going = {p.old for p in (*_before(plan, pair), pair) if _may_go(service, seen, p)}
    going |= {vm.vm_id for vm in plan.leftovers} | {old.vm_id}
    staying = count_serving(service, (vm for vm in seen.vms if vm.vm_id not in going))
    least = needed(service, plan)
    if staying < least:
        return pending(f"{staying} others serve < {least} needed")
    return done(f"{staying} others serve ≥ {least} needed")


def may_take_back(service: Service, plan: Plan, seen: Seen) -> Verdict:
    """Return whether enough serve without the new VMs whose old ones are still there."""
    there = {vm.vm_id for vm in seen.vms}
    back = {vm.name for vm in plan.old if vm.is_way_back and vm.vm_id in there}
    back |= {vm.name for vm in plan.kept}
    back |= {p.new for p in plan.pairs if p.new and p.old is not None and p.old not in there}
    serving = count_serving(service, (vm for vm in seen.vms if vm.name in back))
    least = least_before(service, plan, len(back))
    if serving < least:
        return pending(f"{serving} of the VMs that stay serve < {least} needed")
    return done(f"{serving} of the VMs that stay serve ≥ {least} needed")


def _before(plan: Plan, pair: Pair) -> tuple[Pair, ...]:
    return plan.pairs[: plan.pairs.index(pair)]


def _needed_time(service: Service, new: NewVm, pair: Pair) -> timedelta:
    """An old VM goes only after the watch; where there is none, time itself has to tell."""
    settle = service.watch.settle
    return settle if pair.old is not None else max(settle, watch_time(service, canary=new.canary))


def _may_go(service: Service, seen: Seen, pair: Pair) -> bool:
    """Whether the old VM of a pair may be drained by now; before, its new one is no help either."""
    new = seen.get(pair.new) if pair.new else None
    return pair.new is None or (new is not None and serves(service, new))


def _is_no_loss(service: Service, old: OldVm, vm: SeenVm | None) -> bool:
    if vm is None:
        return True
    if service.balancer is None:
        return not serves(service, vm)
    state = vm.member.state if vm.member else "maint"
    return state in ("down", "maint") or (not old.serving and state == "drain")


def _told(plan: Plan, pair: Pair) -> str:
    return pair.new or next(vm.name for vm in plan.old if vm.vm_id == pair.old)
