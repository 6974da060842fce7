"""Drive one rollout over a `World` the way the DAG does: look, decide, ask the guard, act, wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from include.facts import Member
from include.planner import (
    STRATEGIES,
    Gate,
    Move,
    Plan,
    Seen,
    Wanted,
    may_create,
    may_drain,
    may_join,
    may_retire,
    past_return,
    plan_rollout,
    roll_back,
    rollout_id,
    watch_verdict,
)
from include.verdict import Verdict, done
from include.waits import drained_verdict
from tests.include.planner.world import TICK_S, World

# Room for leftovers to go, boot and enrol, the watch of the canary, the others' join (11 ticks).
PATIENCE_TICKS = 25


class Run:
    """One run of a rollout. `check` is called after every single act, and may raise to kill it."""

    def __init__(
        self,
        world: World,
        wanted: Wanted,
        run_id: str,
        *,
        check: Callable[[Run], None] = lambda run: None,
        after_tick: Callable[[Run], None] = lambda run: None,
        repeat: int = 1,
    ) -> None:
        self.world, self.service, self.repeat = world, world.service, repeat
        self.check, self.after_tick = check, after_tick
        self.rollout = rollout_id("rollout_shop", run_id)
        self.log: list[str] = []
        self.passed: set[Gate] = set()
        self.ticks = self.watch_from = self.idle = 0
        self.before: list[Member] = []
        self.watching: Gate | None = None
        self.drain_from: dict[str, datetime] = {}
        self.outcome: Literal["running", "success", "failed", "stuck"] = "running"
        self.why = ""
        self.plan: Plan = plan_rollout(self.service, wanted, world.seen(), self.rollout, world.now)

    def step(self) -> None:
        """Look, do what is safe now, judge, and let time pass."""
        seen = self.world.seen()
        if self.why:
            self._step_back(seen)
        else:
            self._step_forward(seen)
        self.world.tick()
        self.ticks += 1
        self.after_tick(self)

    def finish(self, limit: int = 80) -> Run:
        """Step until the run ends; fail when it does not settle."""
        while self.outcome == "running":
            assert self.ticks < limit, f"does not settle in {limit} rounds:\n" + "\n".join(self.log)
            self.step()
        return self

    def _step_forward(self, seen: Seen) -> None:
        moves = STRATEGIES[self.plan.strategy](
            self.service, self.plan, seen, frozenset(self.passed)
        )
        for move in moves:
            self._do(move)
        self._bring_up()
        self._judge()
        if not self.why and not moves and self._complete():
            self._end("success", f"{len(self.plan.new)} new, {len(self.plan.old)} retired")

    def _step_back(self, seen: Seen) -> None:
        if not seen.complete:
            return
        if stuck := past_return(self.plan, seen):
            self._end("stuck", f"no way back: {stuck}")
            return
        self._go_back(roll_back(self.service, self.plan, seen))

    def _go_back(self, moves: Sequence[Move]) -> None:
        done = sum(self._do(move) for move in moves)
        if not done and all(move.verb == "undrain" for move in moves):
            self._end("failed", self.why)  # who is down is undrained at every look: nobody sees it
        self.idle = 0 if done else self.idle + 1
        if self.idle > PATIENCE_TICKS:
            self._end("stuck", "the VMs from before do not come back")

    def _do(self, move: Move) -> int:
        acts = {
            "create": self._create,
            "join": self._join,
            "undrain": self._join,
            "drain": self._drain,
            "retire": self._retire,
        }
        seen = self.world.seen()  # one for all: mapped tasks look at the same moment, then act
        allowed = [vm for vm in move.vms if self._guard(seen, move.verb, vm).status == "done"]
        new = tuple(vm for vm in allowed if self.world.changes(move.verb, vm))
        if new:
            self.log.append(f"{self.ticks:3} {type(move)(new, move.reason)}")
        for vm in allowed:
            for _ in range(self.repeat):
                acts[move.verb](vm)
        return len(new)

    def _guard(self, seen: Seen, verb: str, name: str) -> Verdict:
        if verb == "create":
            return may_create(self.service, self.plan, seen, name)
        if verb == "join":
            return may_join(self.service, self.plan, seen, name)
        if verb == "drain":
            return may_drain(self.service, self.plan, seen, name)
        if verb == "retire":
            return may_retire(self.service, self.plan, seen, name, drained=self._drained(name))
        return done("undrain harms nobody")

    def _create(self, name: str) -> None:
        self.world.create(name, self.plan.release)
        self.check(self)

    def _bring_up(self) -> None:
        """The chain of a new VM up to the pool; each step waits for the one before."""
        for new in self.plan.new:
            vm = self.world.named(new.name)
            if vm is None or vm.phase != "running" or vm.release != new.release:
                continue
            if new.name not in self.world.addresses:
                self.world.publish(new.name)
            elif new.name not in self.world.certificates:
                self.world.enrol(new.name)
            else:
                self.world.monitor(new.name)
            self.check(self)

    def _join(self, name: str) -> None:
        self.world.join(name)
        self.check(self)

    def _drain(self, name: str) -> None:
        self.world.drain(name)
        self.drain_from.setdefault(name, self.world.now)
        self.check(self)

    def _retire(self, name: str) -> None:
        seen = self.world.seen().get(name)
        steps = (self.world.leave, self.world.unmonitor, self.world.forget)
        for step in steps:
            step(name)
            self.check(self)
        if seen:
            self.world.terminate(seen.vm_id)
        self.check(self)

    def _drained(self, name: str) -> bool:
        began = self.drain_from.get(name)
        member = self.world.members.get(name)
        if began is None:
            return False
        late = self.world.now - began >= self.service.drain.deadline
        return late or drained_verdict(name, member).status == "done"

    def _judge(self) -> None:
        seen = self.world.seen()
        if not seen.complete:
            return
        for vm in (vm for vm in self.plan.old if drains(seen, vm.name)):
            self.drain_from.setdefault(vm.name, self.world.now)  # a run before this one began it
        if all(self._drained(vm.name) or outside(seen, vm.name) for vm in self.plan.old):
            self.passed.add("drained")
        gate = self._due(seen)
        if gate != self.watching:
            self.watching, self.watch_from = gate, self.ticks
            self.before = list(self.world.members.values())
        if gate:
            self._watch(gate)
        elif self.ticks > PATIENCE_TICKS and not self._all_up(seen, self._new_names()):
            self._fail("the new VMs are not ready in time")

    def _due(self, seen: Seen) -> Gate | None:
        canaries = [vm.name for vm in self.plan.new if vm.canary]
        if canaries and "canary" not in self.passed:
            return "canary" if self._all_up(seen, canaries) else None
        if "switched" in self.passed or "drained" not in self.passed:
            return None
        return "switched" if self._all_up(seen, self._new_names()) else None

    def _all_up(self, seen: Seen, names: list[str]) -> bool:
        if self.watching:
            return True  # a member that falls during a watch is the watch's to judge
        found = [seen.get(name) for name in names]
        if self.service.balancer is None:
            return all(vm and vm.enrolled and vm.health for vm in found)
        return all(vm and vm.member and vm.member.state == "up" for vm in found)

    def _watch(self, gate: Gate) -> None:
        canary = gate == "canary"
        verdict = judge(
            self,
            [vm.name for vm in self.plan.new if vm.canary] if canary else self.plan.watched,
            self.before,
            elapsed(self.ticks - self.watch_from),
            self.service.canary.watch if canary else None,
        )
        if verdict.status == "failed":
            self._fail(verdict.detail)
        if verdict.status == "done":
            self.passed.add(gate)
            self.watching = None
            self.log.append(f"{self.ticks:3} {gate}: {verdict.detail}")

    def _new_names(self) -> list[str]:
        return [vm.name for vm in self.plan.new]

    def _fail(self, why: str) -> None:
        self.why = why
        self.log.append(f"{self.ticks:3} fails: {why}")

    def _end(self, outcome: Literal["success", "failed", "stuck"], text: str) -> None:
        self.outcome = outcome
        self.log.append(f"{self.ticks:3} ends ({outcome}): {text}")

    def _complete(self) -> bool:
        return self._all_gone() and ("switched" in self.passed or self.plan.nothing_to_do)

    def _all_gone(self) -> bool:
        going = {vm.vm_id for vm in (*self.plan.old, *self.plan.leftovers)}
        seen = self.world.seen()
        return seen.complete and not any(vm.vm_id in going for vm in seen.vms)


def elapsed(ticks: int) -> timedelta:
    """Return how long so many ticks last."""
    return timedelta(seconds=TICK_S * ticks)


def judge(
    run: Run,
    names: Sequence[str],
    before: Sequence[Member],
    since: timedelta,
    limit: timedelta | None,
) -> Verdict:
    """Return what the watch says of some VMs now."""
    return watch_verdict(
        run.service,
        names,
        before=before,
        members=list(run.world.members.values()),
        health=run.world.facts().health,
        elapsed=since,
        duration=limit,
    )


def outside(seen: Seen, name: str) -> bool:
    """Whether a VM has nothing to drain: gone, or never in a pool."""
    vm = seen.get(name)
    return vm is None or vm.member is None or vm.member.state == "maint"


def drains(seen: Seen, name: str) -> bool:
    """Whether a VM is draining."""
    vm = seen.get(name)
    return vm is not None and vm.member is not None and vm.member.state == "drain"
