"""A step of a rollout, for one VM or for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from include.catalogue.model import Connections, Service
from include.facts import CloudVm
from include.planner import NewVm, OldVm, Plan
from include.verdict import Verdict
from snowmelt.errors import Busy, Refused
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.operators.base import WaitOperator


class RolloutOperator(WaitOperator):
    """A step that belongs to a rollout.

    `rollout` is what the task `plan` pushed: {"service", "plan", "dry_run", "again", "errors"}.
    The run is pinned to it: a catalogue that changes meanwhile changes the next run.
    """

    template_fields: Sequence[str] = ("rollout",)

    def __init__(self, *, rollout: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rollout = rollout

    @cached_property
    def service(self) -> Service:
        """The catalogue entry that this rollout was planned by."""
        return Service.model_validate(self.rollout["service"])

    @cached_property
    def plan(self) -> Plan:
        """What was decided."""
        return Plan.from_json(self.rollout["plan"])

    @property
    def only_plan(self) -> bool:
        """Whether this is a dry run, in which nothing may be changed."""
        return bool(self.rollout["dry_run"])

    @property
    def connections(self) -> Connections:
        """The ids of the Airflow Connections to use."""
        return self.service.connections

    @property
    def cloud(self) -> OpenNebulaHook:
        """The OpenNebula of this service."""
        return OpenNebulaHook(self.connections.opennebula)


class StepOperator(RolloutOperator):
    """A step for one VM: {"name", "fqdn", "slot"}, for an old one also {"vm_id", "address"}.

    None where a replacement has no such VM: then the first step is skipped, and the others by it.
    """

    template_fields: Sequence[str] = ("rollout", "vm")

    def __init__(self, *, vm: Any, **kwargs: Any) -> None:
        kwargs.setdefault("map_index_template", "{{ task.vm['name'] if task.vm else '–' }}")
        super().__init__(**kwargs)
        self.vm = vm

    def guard(self, verdict: Verdict, instead: str = "") -> None:
        """Go on only if a guard agrees: `Busy` while it does not, `Refused` if it never will.

        *instead* says in a few words what does not happen then.
        """
        if verdict.status != "done":
            told = ": ".join(filter(None, (instead, verdict.detail)))
            raise (Refused if verdict.status == "failed" else Busy)(told)

    def must_be_there(self, address: str | None = None) -> CloudVm:
        """Return the new VM, at *address* where one is given; `Refused` if OpenNebula has it not.

        A step that somebody clears by itself may come after the way back.
        """
        for vm in self.cloud.find(self.vm["name"], self.plan.scope):
            if vm.phase != "stopping" and (address is None or address in vm.addresses):
                return vm
        raise Refused(
            f"{self.vm['name']} is gone: its rollout was rolled back, or somebody ended it."
            " Clear the whole run, or start another."
        )


class NewVmOperator(StepOperator):
    """A step for a VM that `create_vm` made: `made` is what that returned."""

    template_fields: Sequence[str] = ("rollout", "vm", "made")

    def __init__(self, *, made: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.made = made

    @property
    def address(self) -> str:
        """The VM's own address."""
        return str(self.made["address"])


def staying(plan: Plan) -> list[str]:
    """Return the names of the VMs that run when the rollout has ended."""
    return [*(vm.name for vm in plan.new), *(vm.name for vm in plan.kept)]


def as_pairs(plan: Plan) -> list[dict[str, Any]]:
    """Return the replacements of a plan as plain data: {"new": VM or None, "old": VM or None}."""
    new = {vm.name: vm.to_json() for vm in plan.new}
    old = {vm.vm_id: vm.to_json() for vm in plan.old}
    return [
        {"new": p.new and new[p.new], "old": None if p.old is None else old[p.old]}
        for p in plan.pairs
    ]


def as_list(vms: Iterable[NewVm | OldVm]) -> list[dict[str, Any]]:
    """Return VMs of a plan as plain data, for a group that is mapped over them."""
    return [vm.to_json() for vm in vms]
