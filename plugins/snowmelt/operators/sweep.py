"""Remove VMs that carry no traffic, whole; first what a crashed run left behind."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from include.facts import CloudVm
from include.planner import Facts, see
from snowmelt.errors import Busy, SnowmeltError
from snowmelt.hooks.balancer import balancer_for
from snowmelt.identity import forget
from snowmelt.operators.base import deadline
from snowmelt.operators.step import RolloutOperator, as_list, as_pairs
from snowmelt.triggers.base import PauseTrigger
from snowmelt.triggers.cloud import AllVmsGoneTrigger

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
        return [vm for vm in self.ours() if vm.name in self.doomed()]

    def ours(self) -> Sequence[CloudVm]:
        """Return the service's VMs that carry our marks: anybody may choose a name like theirs."""
        vms = self.cloud.vms_named(self.service.name, self.plan.scope)
        marked = {vm.vm_id for vm in see(self.service, Facts(vms=vms)).vms}
        return [vm for vm in vms if vm.vm_id in marked]

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
        forget(self.service, self.doomed(), self)

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

    In a run that was cleared also what is known under the names of new VMs that are not there: an
    earlier attempt made them, and somebody ended them. A new one would find its name taken.

    Returns the new VMs that follow the canary, or the replacements of a rolling rollout, for the
    group that is mapped over them.
    """

    def doomed(self) -> Sequence[str]:
        """All but the names that a VM has which stays.

        A failed VM of this very rollout leaves its name to the next try, which may serve by now:
        this task alone can be cleared later.
        """
        left = [vm.name for vm in self.plan.leftovers]
        names = dict.fromkeys((*left, *self._made_anew))
        return [name for name in names if name not in self._heirs]

    @property
    def _made_anew(self) -> Sequence[str]:
        again = self.rollout.get("again", False)
        return [vm.name for vm in self.plan.new if again and vm.vm_id is None]

    @cached_property
    def _heirs(self) -> frozenset[str]:
        return frozenset(vm.name for vm in self.ours() if vm.vm_id not in self._ids)

    @cached_property
    def _ids(self) -> frozenset[int]:
        return frozenset(vm.vm_id for vm in self.plan.leftovers)

    def left(self) -> Sequence[CloudVm]:
        return [vm for vm in self.cloud.vm_states() if vm.vm_id in self._ids]

    def execute(self, context: Context) -> Any:
        if self.only_plan or not (self.plan.leftovers or self._made_anew):
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
