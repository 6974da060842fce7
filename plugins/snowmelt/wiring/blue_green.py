"""Blue and green: all new VMs come beside the old ones, then the old ones go.

1. `plan` says which VMs come and go, and why.
2. Each new VM: `create_vm`, `publish_dns`, `enrol_in_puppet`, `monitor_vm`, `join_balancer`.
   The canary joins first; the others follow after `watch_canary`.
3. The old ones `drain`, and `watch` looks at the new ones under traffic while the old still run.
4. A failure makes `roll_back` undo everything, until the first old VM is gone: old VMs serve on,
   new ones go.
5. The old VMs leave, which ends the way back, and `verify` looks for what is left of them.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import task_group

from include.catalogue.model import Service
from snowmelt.operators.enrolment import EnrolInPuppet
from snowmelt.operators.identity import RetireIdentity
from snowmelt.operators.monitoring import MonitorVm
from snowmelt.operators.names import PublishDns
from snowmelt.operators.plan import PlanRollout
from snowmelt.operators.roll_back import RollBack
from snowmelt.operators.sweep import ClearLeftovers
from snowmelt.operators.traffic import Drain, JoinBalancer, LeaveBalancer
from snowmelt.operators.verify import Verify
from snowmelt.operators.vm import CreateVm, TerminateVm
from snowmelt.operators.watch import Watch


def wire(service: Service) -> None:
    """Wire the rollout of one service."""
    plan = PlanRollout(task_id="plan", service=service.name)
    planned: Any = plan.output
    run, lane = planned["rollout"], service.puppet.lane
    clear = ClearLeftovers(task_id="clear_leftovers", rollout=run)
    watch_canary = Watch(
        task_id="watch_canary", stage="canary", rollout=run, trigger_rule="none_failed"
    )
    watch = Watch(task_id="watch", stage="drained", rollout=run, trigger_rule="none_failed")
    undo = RollBack(task_id="roll_back", rollout=run, trigger_rule="all_done")
    verify = Verify(task_id="verify", rollout=run, trigger_rule="none_failed")
    [watch_canary, watch] >> undo

    @task_group
    def canary(vm: Any) -> None:
        bring_up(run, vm, lane, clear, undo) >> watch_canary

    @task_group
    def others(vm: Any) -> None:
        watch_canary >> bring_up(run, vm, lane, clear, undo)

    @task_group
    def old(vm: Any) -> None:
        take_down(run, vm, lane, watch, verify, undo)

    canary.expand(vm=planned)
    joined = others.expand(vm=clear.output)
    joined >> old.expand(vm=watch_canary.output)


def bring_up(
    run: Any, vm: Any, lane: str, made_room: ClearLeftovers, undo: RollBack
) -> JoinBalancer:
    """Wire the steps of one new VM; returns the last."""
    create = CreateVm(task_id="create_vm", rollout=run, vm=vm)
    new = {"rollout": run, "vm": vm, "made": create.output}
    names = PublishDns(task_id="publish_dns", **new)
    enrol = EnrolInPuppet(task_id="enrol_in_puppet", rollout=run, vm=vm, pool=lane)
    monitor = MonitorVm(task_id="monitor_vm", **new)
    join = JoinBalancer(task_id="join_balancer", trigger_rule="none_failed", **new)
    made_room >> create >> names >> enrol >> monitor >> join
    [monitor, join] >> undo
    return join


def take_down(run: Any, vm: Any, lane: str, watch: Watch, verify: Verify, undo: RollBack) -> None:
    """Wire the steps of one old VM; the watch stands before all that cannot be undone."""
    drain = Drain(task_id="drain", rollout=run, vm=vm, trigger_rule="none_failed")
    leave = LeaveBalancer(task_id="leave_balancer", rollout=run, vm=vm, trigger_rule="none_failed")
    retire = RetireIdentity(task_id="retire_identity", rollout=run, vm=vm, pool=lane)
    terminate = TerminateVm(task_id="terminate_vm", rollout=run, vm=vm)
    drain >> watch >> leave >> retire >> terminate >> verify
    [drain, leave, terminate] >> undo
