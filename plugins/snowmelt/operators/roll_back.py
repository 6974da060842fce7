"""Undo a failed rollout before its first irreversible step."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from include.planner import (
    CannotSee,
    Move,
    Plan,
    PlanError,
    Seen,
    may_drain,
    roll_back,
    taken_back,
    way_back,
)
from snowmelt.errors import Busy, Refused, SnowmeltError, Unreachable
from snowmelt.failures import failed_steps, places
from snowmelt.hooks.balancer import balancer_for
from snowmelt.look import look_at_pool, look_for_way_back
from snowmelt.operators.base import deadline
from snowmelt.operators.sweep import Sweep
from snowmelt.triggers.base import PauseTrigger
from snowmelt.triggers.traffic import AllDrainedTrigger, MayDrainTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


# A system that is restarted is back within minutes, and nothing else undoes the run: the first try
# asks it for so long, and the others, a minute or two in all, begin after that.
PATIENCE = timedelta(minutes=15)
PAUSE = timedelta(minutes=1)


class RollBack(Sweep):
    """Undo a failed rollout before its first irreversible step; skipped when nothing failed.

    Runs when all the steps before it have ended, for Airflow. One that somebody has marked as
    failed works on until it hears of it: so the old VMs serve again at once, and all else has time;
    and each look before an act is a new one.
    """

    part: Plan | None = None  # of the plan, that is undone: a rolling one may be half done for good

    def doomed(self) -> Sequence[str]:
        return [vm.name for vm in self._undone.new]

    @property
    def _undone(self) -> Plan:
        """What is taken back: all of a `blue_green` plan, the settled part of a rolling one."""
        if self.plan.pairs and self.part is None:
            raise RuntimeError("what is taken back is not settled: it must not be taken for all")
        return self.part or self.plan

    def execute(self, context: Context) -> Any:
        if not self.rollout:
            raise AirflowSkipException("there is no plan, so nothing has begun")
        if not self._failed(context):
            raise AirflowSkipException("nothing failed")
        return self.take_back(context)

    def take_back(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Look, and let the old VMs serve again; while a system is away, as many as may."""
        failed = self._failed(context)
        try:
            seen = self._look()
        except SnowmeltError as error:
            with suppress(Unreachable):  # the balancer may be away too
                self._undrain_without_a_look(failed)
            if not isinstance(error, Unreachable) or not self._may_wait(context):
                raise
            self.log.warning("asked again in a minute: %s", error)
            return self.wait(context, PauseTrigger(deadline=deadline(PAUSE)), then="take_back")
        return self._take_back(context, failed, seen)

    def _may_wait(self, context: Context) -> bool:
        ti = context["ti"]
        began = ti.start_date.timestamp() if ti.start_date else time.time()
        return ti.try_number == 1 and time.time() < began + PATIENCE.total_seconds()

    def _take_back(self, context: Context, failed: Sequence[str], seen: Seen) -> Any:
        try:
            self._settle_part(context)
            moves = roll_back(self.service, self.plan, seen, places(failed))
        except CannotSee as error:
            raise Unreachable(str(error)) from error
        except PlanError as error:
            if _before_the_switch(failed):
                self._go(way_back(self.service, self.plan, seen))
            raise Refused(str(error)) from error
        self._go(moves)
        return self.wait_for_late_steps(context, then="go_back")

    def go_back(self, context: Context, event: dict[str, Any]) -> Any:
        """Look again, as a late step may have drained an old VM; then wait for the old ones."""
        self._settle_part(context)
        self._old_ones_serve_again()
        return self._wait_for_old(context)

    def _old_ones_serve_again(self) -> None:
        self._go(way_back(self.service, self._undone, self._look()))

    def _go(self, moves: Iterable[Move]) -> None:
        for move in moves:
            self.log.info("%s", move)
            if move.verb in ("undrain", "join"):
                self._serve_again(move.vms)

    def _undrain_without_a_look(self, failed: Sequence[str]) -> None:
        """Let old VMs that are drained serve again, by the balancer alone; the rest is for later.

        A VM leaves its pool before anything else of it is taken away, so those that are in it are
        whole. They must not wait for an OpenNebula or a CA.
        """
        if not _before_the_switch(failed):
            return
        there = {member.name: member.state for member in look_at_pool(self.service)}
        back = [vm for vm in self.plan.old if vm.is_way_back]
        if self.plan.pairs and not {vm.name for vm in back} <= there.keys():
            ids = {self.plan.pairs[place].old for place in places(failed)}
            back = [vm for vm in back if vm.vm_id in ids]
        self._serve_again([vm.name for vm in back if there.get(vm.name) == "drain"])

    def _look(self) -> Seen:
        return look_for_way_back(self.service, self.plan.scope)

    def _failed(self, context: Context) -> tuple[str, ...]:
        """Return what failed before; what only ends an old VM is no reason to go back."""
        ti = context["ti"]
        before = sorted(t for t in self.upstream_task_ids if not t.endswith("terminate_vm"))
        return failed_steps(ti.dag_id, ti.run_id, before, ti.get_task_states)

    def _settle_part(self, context: Context) -> None:
        if self.plan.pairs and self.part is None:
            failed = places(self._failed(context))
            self.part = taken_back(self.plan, self._look(), failed)

    def begin(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        self._settle_part(context)
        return super().begin(context, event)

    def terminate(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        self._settle_part(context)
        return super().terminate(context, event)

    def _serve_again(self, names: Sequence[str]) -> None:
        pool = self.service.balancer
        if pool is None:
            return
        there = {member.name for member in look_at_pool(self.service)}
        for vm in (vm for vm in self.plan.old if vm.name in names):
            balancer = balancer_for(self.connections.balancer)
            if vm.name not in there:
                balancer.ensure_member(pool.pool, vm.name, vm.address, vm.port or pool.port)
            self.log.info("%s %s", balancer.undrain(pool.pool, vm.name), vm.name)

    def _wait_for_old(self, context: Context) -> Any:
        """New VMs that serve go on until the old ones do: a bad release is better than none."""
        pool, serving = self.service.balancer, self._serving()
        if pool is None or not serving:
            return self.begin(context)
        may_drain = MayDrainTrigger(
            service=self.service.model_dump(mode="json"),
            plan=self.plan.to_json(),
            name=serving[0],
            deadline=deadline(pool.join_deadline),
        )
        return self.wait(context, may_drain, then="drain_new")

    def drain_new(self, context: Context, event: dict[str, Any]) -> Any:
        """Let the sessions on the new VMs that still answer come to their end."""
        self._settle_part(context)
        self.settle(event)
        pool, serving = self.service.balancer, self._serving()
        if pool is None or not serving:
            return self.begin(context)
        self._old_ones_serve_again()
        if not self._may_drain(serving[0]):
            return self._wait_for_old(context)
        for name in serving:
            outcome = balancer_for(self.connections.balancer).drain(pool.pool, name)
            self.log.info("%s drain of %s", outcome, name)
        drained = AllDrainedTrigger(
            conn_id=self.connections.balancer,
            pool=pool.pool,
            names=serving,
            idle_s=self.service.drain.idle.total_seconds(),
            deadline=deadline(self.service.drain.deadline),
        )
        return self.wait(context, drained, then="drained")

    def drained(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on, whatever came of the drain: these VMs have to go."""
        self.log.info("%s", event["detail"])
        self._settle_part(context)
        self._old_ones_serve_again()
        return self.begin(context)

    def forget(self, context: Context) -> Any:
        """Remove what others know of them, and what a late step has made of them meanwhile."""
        super().forget(context)
        busy = [why for name in self.doomed() if (why := self._leave(name))]
        if busy:
            raise Busy("; ".join(busy))
        if late := self.left():
            self.log.warning("made meanwhile: %s", ", ".join(vm.name for vm in late))
            return self.terminate(context)
        self._old_ones_serve_again()
        return None

    def _may_drain(self, name: str) -> bool:
        verdict = may_drain(self.service, self.plan, self._look(), name)
        self.log.info("%s", verdict.detail)
        return verdict.status == "done"

    def _serving(self) -> list[str]:
        new = self.doomed()
        return [m.name for m in look_at_pool(self.service) if m.name in new and m.state == "up"]


def _before_the_switch(failed: Iterable[str]) -> bool:
    """Whether more failed than the leave of old VMs, after which the new ones have taken over."""
    return any("leave_balancer" not in step for step in failed)
