"""Rolling: a window of replacements slides over the service, the canary's first and alone.

1. `plan` pairs the VMs that come with those that go, in the order of their turns.
2. Each pair is one `replace`, and is whole before its successor starts: `create_vm` waits for its
   turn, `publish_dns`, `enrol_in_puppet`, `monitor_vm`, `join_balancer`, `watch` of the new VM;
   then `drain`, `leave_balancer`, `retire_identity`, `terminate_vm` of the old one. Where a VM
   only comes or only goes, the steps of the other are skipped.
3. A failure stops the window, and `roll_back` looks at what it left. As long as no old VM is gone,
   everything is undone. After that the whole replacements stay, the failed new VM goes, and the
   old VMs whose turn never came serve on. The run has failed; the next one goes on from there.
4. `verify` looks for what is left of the old VMs.
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
from snowmelt.operators.turn import CreateVmInTurn
from snowmelt.operators.verify import Verify
from snowmelt.operators.vm import TerminateVm
from snowmelt.operators.watch import WatchVm


def wire(service: Service) -> None:
    """Wire the rollout of one service."""
    plan = PlanRollout(task_id="plan", service=service.name)
    planned: Any = plan.output
    run, lane = planned["rollout"], service.puppet.lane
    clear = ClearLeftovers(task_id="clear_leftovers", rollout=run)
    undo = RollBack(task_id="roll_back", rollout=run, trigger_rule="all_done")
    verify = Verify(task_id="verify", rollout=run, trigger_rule="none_failed")

    @task_group
    def replace(new: Any, old: Any) -> None:
        watch = bring_up(run, new, old, lane)
        drain, terminate = take_down(run, old, lane)
        watch >> drain
        [watch, drain, terminate] >> undo
        terminate >> verify

    replace.expand_kwargs(clear.output)


def bring_up(run: Any, new: Any, old: Any, lane: str) -> WatchVm:
    """Wire the steps of the VM that comes; returns the last."""
    create = CreateVmInTurn(task_id="create_vm", rollout=run, vm=new, old=old)
    made = {"rollout": run, "vm": new, "made": create.output}
    names = PublishDns(task_id="publish_dns", **made)
    enrol = EnrolInPuppet(task_id="enrol_in_puppet", rollout=run, vm=new, pool=lane)
    monitor = MonitorVm(task_id="monitor_vm", **made)
    join = JoinBalancer(task_id="join_balancer", **made)
    watch = WatchVm(task_id="watch", rollout=run, vm=new)
    create >> names >> enrol >> monitor >> join >> watch
    return watch


def take_down(run: Any, old: Any, lane: str) -> tuple[Drain, TerminateVm]:
    """Wire the steps of the VM that goes; returns the first, which can be undone, and the last."""
    drain = Drain(task_id="drain", rollout=run, vm=old, trigger_rule="none_failed")
    leave = LeaveBalancer(task_id="leave_balancer", rollout=run, vm=old)
    retire = RetireIdentity(task_id="retire_identity", rollout=run, vm=old, pool=lane)
    terminate = TerminateVm(task_id="terminate_vm", rollout=run, vm=old)
    drain >> leave >> retire >> terminate
    return drain, terminate
