"""Let the old VMs of a failed rollout serve again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from include.planner import Move, Plan, Seen, taken_back, way_back
from snowmelt.failures import failed_before, places
from snowmelt.hooks.balancer import balancer_for
from snowmelt.look import look_at_pool, look_for_way_back
from snowmelt.operators.sweep import Sweep

if TYPE_CHECKING:
    from airflow.sdk import Context


class WayBack(Sweep):
    """What of a rollout is undone, and how its old VMs come back. Each look is a new one."""

    part: Plan | None = None  # of the plan, that is undone: a rolling one may be half done for good

    @property
    def undone(self) -> Plan:
        """What is taken back: all of a `blue_green` plan, the settled part of a rolling one."""
        if self.plan.pairs and self.part is None:
            raise RuntimeError("what is taken back is not settled: it must not be taken for all")
        return self.part or self.plan

    def failed(self, context: Context) -> tuple[str, ...]:
        """Return what failed before; what only ends an old VM is no reason to go back."""
        return failed_before(self, context, but={"terminate_vm"})

    def look(self) -> Seen:
        return look_for_way_back(self.service, self.plan.scope)

    def settle_part(self, context: Context) -> None:
        if self.plan.pairs and self.part is None:
            failed = places(self.failed(context))
            self.part = taken_back(self.plan, self.look(), failed)

    def old_ones_serve_again(self) -> None:
        self.go(way_back(self.service, self.undone, self.look()))

    def go(self, moves: Iterable[Move]) -> None:
        for move in moves:
            self.log.info("%s", move)
            if move.verb in ("undrain", "join"):
                self.serve_again(move.vms)

    def serve_again(self, names: Sequence[str]) -> None:
        pool = self.service.balancer
        if pool is None:
            return
        there = {member.name for member in look_at_pool(self.service)}
        for vm in (vm for vm in self.plan.old if vm.name in names):
            balancer = balancer_for(self.connections.balancer)
            if vm.name not in there:
                balancer.ensure_member(pool.pool, vm.name, vm.address, vm.port or pool.port)
            self.log.info("%s %s", balancer.undrain(pool.pool, vm.name), vm.name)

    def undrain_without_a_look(self, failed: Sequence[str]) -> None:
        """Let old VMs that are drained serve again, by the balancer alone; the rest is for later.

        A VM leaves its pool before anything else of it is taken away, so those that are in it are
        whole. They must not wait for an OpenNebula or a CA.
        """
        if not before_the_switch(failed):
            return
        there = {member.name: member.state for member in look_at_pool(self.service)}
        back = [vm for vm in self.plan.old if vm.is_way_back]
        if self.plan.pairs and not {vm.name for vm in back} <= there.keys():
            ids = {self.plan.pairs[place].old for place in places(failed)}
            back = [vm for vm in back if vm.vm_id in ids]
        self.serve_again([vm.name for vm in back if there.get(vm.name) == "drain"])


def before_the_switch(failed: Iterable[str]) -> bool:
    """Whether more failed than the leave of old VMs, after which the new ones have taken over."""
    return any("leave_balancer" not in step for step in failed)
