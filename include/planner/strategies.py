"""Strategies by name. Each returns the moves that are safe right now; none means wait, or done.

They put the guards in the order in which `plugins/snowmelt/wiring/` has them as a graph of the same
name, for the simulation: what holds there for each step and each fault has to hold for the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from include.catalogue.model import Service
from include.planner.condition import ceiling, existing
from include.planner.guards import may_create, may_drain, may_join, may_retire
from include.planner.model import NewVm, OldVm, Pair, Plan, Seen, SeenVm
from include.planner.moves import Create, Drain, Join, Move, Retire
from include.planner.window import may_begin

# What was waited for and came out well. blue_green: the watch of the canary ("canary"), the drain
# of the old VMs, by deadline too ("drained"), the watch after the switch ("switched"). rolling
# waits for each VM by itself: the watch of a new one, the drain of an old one, by its name.
Gate = str
Strategy = Callable[[Service, Plan, Seen, frozenset[Gate]], tuple[Move, ...]]


def blue_green(
    service: Service, plan: Plan, seen: Seen, passed: frozenset[Gate]
) -> tuple[Move, ...]:
    """All new VMs come and join (canary first), then all old ones drain, then they retire.

    Parameters of every strategy: *plan* as `plan_rollout` made it, *seen* as the world is now,
    *passed* the gates that are behind us. Two calls on the same world give the same moves.
    """
    if not seen.complete:
        return ()
    return (
        *_retire_leftovers(service, plan, seen),
        *_create(service, plan, seen),
        *_join(service, plan, seen, _let_in(plan, passed)),
        *_drain(service, plan, seen),
        *_retire_old(service, plan, seen, passed),
    )


def rolling(service: Service, plan: Plan, seen: Seen, passed: frozenset[Gate]) -> tuple[Move, ...]:
    """A window of replacements slides over the service, the canary's first and alone.

    Each is whole (the new VM joined and watched, the old one drained and retired) before its
    successor starts. The guards keep the order; it is read off the world.
    """
    if not seen.complete:
        return ()
    replaced = (move for pair in plan.pairs for move in _replace(service, plan, seen, passed, pair))
    return (
        *_retire_leftovers(service, plan, seen),
        *_join(service, plan, seen, plan.new),
        *replaced,
    )


def _replace(
    service: Service, plan: Plan, seen: Seen, passed: frozenset[Gate], pair: Pair
) -> Iterator[Move]:
    if pair.new and seen.get(pair.new) is None:
        verdict = may_create(service, plan, seen, pair.new)
        if verdict.status == "done":
            yield Create((pair.new,), verdict.detail)
    if pair.new and pair.new not in passed:
        return
    if not pair.new and may_begin(service, plan, seen, pair).status != "done":
        return
    for old in (vm for vm in plan.old if vm.vm_id == pair.old and _still_there(seen, vm)):
        yield from _take_out(service, plan, seen, old, drained=old.name in passed)


def _take_out(
    service: Service, plan: Plan, seen: Seen, old: OldVm, *, drained: bool
) -> Iterator[Move]:
    vm = seen.get(old.name)
    # whether one that fails its check is drained shows nowhere: it is when its drain has ended
    hidden = drained and vm is not None and vm.member is not None and vm.member.state == "down"
    if _takes_new_sessions(vm) and not hidden:
        verdict = may_drain(service, plan, seen, old.name)
        if verdict.status == "done":
            yield Drain((old.name,), verdict.detail)
        return
    verdict = may_retire(service, plan, seen, old.name, drained=drained)
    if verdict.status == "done":
        yield Retire((old.name,), f"{old.reason}; {verdict.detail}")


def _retire_leftovers(service: Service, plan: Plan, seen: Seen) -> Iterator[Move]:
    for left in plan.leftovers:
        if _still_there(seen, left) and may_retire(service, plan, seen, left.name).status == "done":
            yield Retire((left.name,), left.reason)


def _create(service: Service, plan: Plan, seen: Seen) -> Iterator[Move]:
    there, limit = existing(seen), ceiling(service, plan)
    # the canary is the first of the new ones, so it is not the one for which there is no room
    missing = [vm.name for vm in plan.new if seen.get(vm.name) is None]
    names = tuple(missing[: max(0, limit - there)])
    if names:
        yield Create(names, f"{there} VMs + {len(names)} ≤ {limit} allowed")


def _let_in(plan: Plan, passed: frozenset[Gate]) -> tuple[NewVm, ...]:
    """Return the new VMs whose turn to join it is; until then they harm nobody outside the pool."""
    held_back = any(vm.canary for vm in plan.new) and "canary" not in passed
    return tuple(vm for vm in plan.new if vm.canary or not held_back)


def _join(service: Service, plan: Plan, seen: Seen, due: Iterable[NewVm]) -> Iterator[Move]:
    if service.balancer is None:
        return
    outside = [vm.name for vm in due if _is_outside(seen.get(vm.name))]
    ready = [name for name in outside if may_join(service, plan, seen, name).status == "done"]
    if ready:
        yield Join(tuple(ready), "in DNS, enrolled and monitored")


def _is_outside(vm: SeenVm | None) -> bool:
    return vm is not None and (vm.member is None or vm.member.state in ("maint", "drain"))


def _drain(service: Service, plan: Plan, seen: Seen) -> Iterator[Move]:
    taking = tuple(vm.name for vm in plan.old if _takes_new_sessions(seen.get(vm.name)))
    verdict = may_drain(service, plan, seen, taking[0]) if taking else None
    if verdict and verdict.status == "done":
        yield Drain(taking, verdict.detail)


def _takes_new_sessions(vm: SeenVm | None) -> bool:
    return (
        vm is not None and vm.member is not None and vm.member.state in ("up", "starting", "down")
    )


def _retire_old(
    service: Service, plan: Plan, seen: Seen, passed: frozenset[Gate]
) -> Iterator[Move]:
    if "switched" not in passed:
        return
    drained = "drained" in passed
    for old in (vm for vm in plan.old if _still_there(seen, vm)):
        verdict = may_retire(service, plan, seen, old.name, drained=drained)
        if verdict.status == "done":
            yield Retire((old.name,), f"{old.reason}; {verdict.detail}")


def _still_there(seen: Seen, old: OldVm) -> bool:
    vm = seen.get(old.name)
    return vm is not None and vm.vm_id == old.vm_id and vm.phase != "stopping"


STRATEGIES: dict[str, Strategy] = {"blue_green": blue_green, "rolling": rolling}
