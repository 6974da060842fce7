"""Undo a failed rollout before its first irreversible step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from include.planner import (
    CannotSee,
    PlanError,
    Seen,
    may_drain,
    roll_back,
    way_back,
)
from snowmelt.errors import Busy, Refused, SnowmeltError, Unreachable
from snowmelt.failures import places
from snowmelt.hooks.balancer import balancer_for
from snowmelt.look import look_at_pool
from snowmelt.operators.base import deadline
from snowmelt.operators.way_back import WayBack, before_the_switch
from snowmelt.triggers.base import PauseTrigger
from snowmelt.triggers.traffic import AllDrainedTrigger, MayDrainTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


# A system that is restarted is back within minutes, and nothing else undoes the run: the first try
# asks it for so long, and the others, a minute or two in all, begin after that.
PATIENCE = timedelta(minutes=15)
PAUSE = timedelta(minutes=1)


class RollBack(WayBack):
    """Undo a failed rollout before its first irreversible step; skipped when nothing failed.

    Runs when all the steps before it have ended, for Airflow. One that somebody has marked as
    failed works on until it hears of it: so the old VMs serve again at once, and all else has time;
    and each look before an act is a new one.
    """

    def doomed(self) -> Sequence[str]:
        return [vm.name for vm in self.undone.new]

    def execute(self, context: Context) -> Any:
        if not self.rollout:
            raise AirflowSkipException("there is no plan, so nothing has begun")
        if not self.failed(context):
            raise AirflowSkipException("nothing failed")
        return self.take_back(context)

    def take_back(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Look, and let the old VMs serve again; while a system is away, as many as may."""
        failed = self.failed(context)
        try:
            seen = self.look()
        except SnowmeltError as error:
            with suppress(Unreachable):  # the balancer may be away too
                self.undrain_without_a_look(failed)
            if not isinstance(error, Unreachable) or not self._may_wait(context):
                raise
            self.log.warning("asked again in a minute: %s", error)
            return self.wait(context, PauseTrigger(deadline=deadline(PAUSE)), then="take_back")
        return self._take_back(context, failed, seen)

    def _may_wait(self, context: Context) -> bool:
        ti = context["ti"]
        # the first try of a round: a run that is cleared has one more
        is_first = ti.max_tries - ti.try_number >= (self.retries or 0) - 1
        began = ti.start_date.timestamp() if ti.start_date else time.time()
        return is_first and time.time() < began + PATIENCE.total_seconds()

    def _take_back(self, context: Context, failed: Sequence[str], seen: Seen) -> Any:
        try:
            self.settle_part(context)
            moves = roll_back(self.service, self.plan, seen, places(failed))
        except CannotSee as error:
            raise Unreachable(str(error)) from error
        except PlanError as error:
            if before_the_switch(failed):
                self.go(way_back(self.service, self.plan, seen))
            raise Refused(str(error)) from error
        self.go(moves)
        return self.wait_for_late_steps(context, then="go_back")

    def go_back(self, context: Context, event: dict[str, Any]) -> Any:
        """Look again, as a late step may have drained an old VM; then wait for the old ones."""
        self.settle_part(context)
        self.old_ones_serve_again()
        return self._wait_for_old(context)

    def begin(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        self.settle_part(context)
        return super().begin(context, event)

    def terminate(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        self.settle_part(context)
        return super().terminate(context, event)

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
        self.settle_part(context)
        self.settle(event)
        pool, serving = self.service.balancer, self._serving()
        if pool is None or not serving:
            return self.begin(context)
        self.old_ones_serve_again()
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
        self.settle_part(context)
        self.old_ones_serve_again()
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
        self.old_ones_serve_again()
        return None

    def _may_drain(self, name: str) -> bool:
        verdict = may_drain(self.service, self.plan, self.look(), name)
        self.log.info("%s", verdict.detail)
        return verdict.status == "done"

    def _serving(self) -> list[str]:
        new = self.doomed()
        return [m.name for m in look_at_pool(self.service) if m.name in new and m.state == "up"]
