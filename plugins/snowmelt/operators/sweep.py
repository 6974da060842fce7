"""Remove VMs that carry no traffic, whole: what a crashed run left, and what a failed one made."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from include.facts import CloudVm
from include.planner import CannotSee, Plan, PlanError, roll_back, taken_back
from snowmelt.errors import Busy, Refused, SnowmeltError, Unreachable
from snowmelt.failures import failed_steps, places
from snowmelt.hooks.balancer import balancer_for
from snowmelt.identity import retirements
from snowmelt.look import look, look_at_pool
from snowmelt.operators.base import deadline
from snowmelt.operators.step import RolloutOperator, as_list, as_pairs
from snowmelt.triggers.cloud import AllVmsGoneTrigger
from snowmelt.triggers.traffic import AllDrainedTrigger, MayDrainTrigger, PauseTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

# a VM that is just booting refuses to be terminated until it runs
LIMIT = timedelta(minutes=10)
ROUND = timedelta(seconds=10)
# idle connections of a member that takes no part any more are closed within a second or two
PURGE = timedelta(seconds=2)


class Sweep(RolloutOperator):
    """Take VMs out of the pool, terminate them, wait, then remove what others know of them.

    The VMs go first here: one that still boots could ask for its certificate again after that
    had been removed.
    """

    def doomed(self) -> Sequence[str]:
        """Return the names of the VMs to remove."""
        raise NotImplementedError

    def left(self) -> Sequence[CloudVm]:
        """Return those of them that OpenNebula still has."""
        return [vm for vm in self.cloud.vm_states() if vm.name in self.doomed()]

    def begin(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Take them out of the pool, then start terminating. One that is busy is asked again."""
        busy = [why for name in self.doomed() if (why := self._leave(name))]
        if not busy:
            return self.terminate(context)
        if event is not None:
            raise Busy("; ".join(busy))
        self.log.info("%s", "; ".join(busy))
        return self.wait(context, PauseTrigger(deadline=deadline(PURGE), interval=0.5), "begin")

    def terminate(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Terminate what is left; come back here until nothing is."""
        left = self.left()
        if not left:
            return self.forget(context)
        started = context["ti"].start_date.timestamp() if context["ti"].start_date else time.time()
        if time.time() > started + LIMIT.total_seconds():
            raise SnowmeltError("not gone: " + ", ".join(f"{vm.name} {vm.state}" for vm in left))
        for vm in left:
            self._terminate(vm)
        gone = AllVmsGoneTrigger(
            conn_id=self.connections.opennebula,
            vm_ids=[vm.vm_id for vm in left],
            deadline=deadline(ROUND),
        )
        return self.wait(context, gone, then="terminate")

    def forget(self, context: Context) -> Any:
        """Remove what other systems know of the VMs, whose keys may be anywhere: revoke them."""
        for name in self.doomed():
            fqdn = self.service.fqdn(name)
            for what, remove in retirements(self.service, fqdn, None, revoke=True):
                self.log.info("%s %s of %s", remove(), what, fqdn)

    def _terminate(self, vm: CloudVm) -> None:
        try:
            outcome = self.cloud.terminate(vm.vm_id, hard=True)
        except Busy as busy:
            self.log.info("%s", busy)
        else:
            self.log.info("%s VM %s (%s)", outcome, vm.vm_id, vm.name)

    def _leave(self, name: str) -> str:
        """Take it out of the pool; returns why that has to be asked again, if it has."""
        pool = self.service.balancer
        if pool is None:
            return ""
        balancer = balancer_for(self.connections.balancer)
        try:
            outcome = balancer.remove_member(pool.pool, name, cut=True)
        except Busy as busy:
            return str(busy)
        self.log.info("%s %s from pool %s", outcome, name, pool.pool)
        return ""


class ClearLeftovers(Sweep):
    """Remove what an earlier run left behind and what carries no traffic: it takes up room.

    Returns the new VMs that follow the canary, or the replacements of a rolling rollout, for the
    group that is mapped over them.
    """

    def doomed(self) -> Sequence[str]:
        return [vm.name for vm in self.plan.leftovers]

    def left(self) -> Sequence[CloudVm]:
        # by id: a failed VM of this very rollout leaves its name to the next try
        ids = {vm.vm_id for vm in self.plan.leftovers}
        return [vm for vm in self.cloud.vm_states() if vm.vm_id in ids]

    def execute(self, context: Context) -> Any:
        if self.only_plan or not self.plan.leftovers:
            self.log.info("nothing was left behind")
            return self._others()
        for vm in self.plan.leftovers:
            self.log.info("%s goes: %s", vm.name, vm.reason)
        return self.begin(context)

    def forget(self, context: Context) -> Any:
        super().forget(context)
        return self._others()

    def _others(self) -> list[dict[str, Any]]:
        if self.plan.pairs and not self.only_plan:
            return as_pairs(self.plan)
        return [] if self.only_plan else as_list(vm for vm in self.plan.new if not vm.canary)


class RollBack(Sweep):
    """Undo a failed rollout before its first irreversible step; skipped when nothing failed.

    Runs when all the steps before it have ended, so that none of them works against it.
    """

    part: Plan | None = None  # of the plan, that is undone: a rolling one may be half done for good

    def doomed(self) -> Sequence[str]:
        return [vm.name for vm in (self.part or self.plan).new]

    def execute(self, context: Context) -> Any:
        if not self.rollout:
            raise AirflowSkipException("there is no plan, so nothing has begun")
        failed = self._failed(context)
        if not failed:
            raise AirflowSkipException("nothing failed")
        self._settle_part(context)
        try:
            moves = roll_back(self.service, self.plan, look(self.service), places(failed))
        except CannotSee as error:
            raise Unreachable(str(error)) from error
        except PlanError as error:
            raise Refused(str(error)) from error
        for move in moves:
            self.log.info("%s", move)
            if move.verb in ("undrain", "join"):
                self._serve_again(move.vms)
        return self._wait_for_old(context)

    def _failed(self, context: Context) -> tuple[str, ...]:
        """Return what failed before; what only ends an old VM is no reason to go back."""
        ti = context["ti"]
        before = sorted(t for t in self.upstream_task_ids if not t.endswith("terminate_vm"))
        return failed_steps(ti.dag_id, ti.run_id, before, ti.get_task_states)

    def _settle_part(self, context: Context) -> None:
        if self.plan.pairs and self.part is None:
            failed = places(self._failed(context))
            self.part = taken_back(self.plan, look(self.service), failed)

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
        addresses = {vm.name: vm.address for vm in self.plan.old}
        for name in names:
            balancer = balancer_for(self.connections.balancer)
            balancer.ensure_member(pool.pool, name, addresses[name], pool.port)
            self.log.info("%s %s", balancer.undrain(pool.pool, name), name)

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
        return self.begin(context)

    def _serving(self) -> list[str]:
        new = self.doomed()
        return [m.name for m in look_at_pool(self.service) if m.name in new and m.state == "up"]
