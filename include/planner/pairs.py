"""Pair the VMs that come with those that go: the order in which `rolling` replaces them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from include.catalogue.model import Service
from include.planner.condition import ceiling, count_serving, needed
from include.planner.model import NewVm, OldVm, Pair, Plan, Seen


def pair_up(service: Service, plan: Plan, seen: Seen) -> tuple[Pair, ...]:
    """Return the replacements of a rolling *plan* in the order in which they start.

    What does not fit into any order is left out, and the plan is refused for it. Old VMs that do
    not serve go with the first new ones: nobody misses them, and they take up room.
    """
    return tuple(_Balance(service, plan, seen).pairs())


def window(service: Service, plan: Plan) -> int:
    """Return how many replacements may be under way at once.

    Where nobody is served there is nobody to protect, and all VMs come at once.
    """
    if not (plan.old or plan.kept):
        return len(plan.new)
    return at_a_time(service)


def at_a_time(service: Service) -> int:
    """Return how many VMs of a service that rolls are replaced at a time.

    Without surge the VMs that may be missing make the room.
    """
    return service.surge or service.max_unavailable


class _Balance:
    """The rollout on paper: how many VMs have room to come, how many can be spared to go."""

    def __init__(self, service: Service, plan: Plan, seen: Seen) -> None:
        made = [vm for new in plan.new if new.vm_id is not None and (vm := seen.get(new.name))]
        there = len(plan.old) + len(plan.kept) + len(made)
        serving = sum(vm.serving for vm in plan.old) + len(plan.kept)
        self._room = ceiling(service, plan) - there
        self._spare = serving + count_serving(service, made) - needed(service, plan)
        self._up = {vm.name for vm in made if count_serving(service, [vm])}
        self._window = window(service, plan)
        self._new = deque(sorted(plan.new, key=lambda vm: not vm.canary))
        self._old = deque(sorted(plan.old, key=lambda vm: vm.serving))

    def pairs(self) -> Iterator[Pair]:
        while self._has_to_make_room() and (old := self._go()):
            yield Pair(new=None, old=old.vm_id)
        while (new := self._come()) or self._old:
            old = self._go()
            if not (new or old):
                return
            yield Pair(new=new.name if new else None, old=old.vm_id if old else None)

    def _has_to_make_room(self) -> bool:
        to_make = sum(vm.vm_id is None for vm in self._new)
        return self._room < min(self._window, to_make)

    def _come(self) -> NewVm | None:
        if not self._new or (self._new[0].vm_id is None and self._room < 1):
            return None
        new = self._new.popleft()
        self._room -= new.vm_id is None
        self._spare += new.name not in self._up
        return new

    def _go(self) -> OldVm | None:
        if not self._old or (self._old[0].serving and self._spare < 1):
            return None
        old = self._old.popleft()
        self._room += 1
        self._spare -= old.serving
        return old
