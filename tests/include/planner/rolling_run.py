"""Drive a rolling rollout over a `World`: each new VM has its watch, each old one its drain."""

from __future__ import annotations

from typing import Any

from include.facts import Member
from include.planner import NewVm, Seen, Wanted, roll_back, taken_back, watch_time
from include.planner.window import is_whole
from tests.include.planner.run import PATIENCE_TICKS, Run, drains, elapsed, judge
from tests.include.planner.world import World


class RollingRun(Run):
    """A run of the strategy `rolling`; a failure stops everything that is not whole yet."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.watched: dict[str, tuple[int, list[Member]]] = {}
        self.moved, self.stopped = 0, False
        self.failed: frozenset[int] = frozenset()
        self.taken: tuple[str, ...] = ()

    def _step_back(self, seen: Seen) -> None:
        if not seen.complete:
            return
        if not self.stopped:
            self.stopped = True
            whole = [is_whole(self.service, self.plan, seen, pair) for pair in self.plan.pairs]
            self.failed = frozenset(i for i, done in enumerate(whole) if not done)
            part = taken_back(self.plan, seen, self.failed)
            self.taken = tuple(vm.name for vm in part.new)
        moves = roll_back(self.service, self.plan, seen, self.failed)
        self._go_back(moves)

    def _judge(self) -> None:
        seen = self.world.seen()
        if not seen.complete:
            return
        for old in self.plan.old:
            if drains(seen, old.name):
                self.drain_from.setdefault(old.name, self.world.now)
            if self._drained(old.name):
                self.passed.add(old.name)
        for new in (vm for vm in self.plan.new if vm.name not in self.passed and not self.why):
            self._look_at(new, seen)
        self._has_to_move()

    def _look_at(self, new: NewVm, seen: Seen) -> None:
        if new.name not in self.watched:
            if not self._all_up(seen, [new.name]):
                return
            self.watched[new.name] = self.ticks, list(self.world.members.values())
        since, before = self.watched[new.name]
        verdict = judge(
            self,
            [new.name],
            before,
            elapsed(self.ticks - since),
            watch_time(self.service, canary=new.canary),
        )
        if verdict.status == "failed":
            self._fail(verdict.detail)
        if verdict.status == "done":
            self.passed.add(new.name)
            self.log.append(f"{self.ticks:3} watched: {verdict.detail}")

    def _has_to_move(self) -> None:
        now = len(self.log)
        self.idle = 0 if now != self.moved else self.idle + 1
        self.moved = now
        if self.idle > PATIENCE_TICKS and not self.why:
            self.idle = 0
            self._fail("nothing moves any more")

    def _complete(self) -> bool:
        new = {vm.name for vm in self.plan.new}
        return self._all_gone() and new <= self.passed


def start(world: World, wanted: Wanted, run_id: str, **kwargs: Any) -> Run:
    """Begin a run by the strategy of the service."""
    kind = RollingRun if world.service.strategy == "rolling" else Run
    return kind(world, wanted, run_id, **kwargs)
