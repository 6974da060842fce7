"""The trial VM of an image: made and enrolled as every VM, then removed whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from include.facts import CloudVm, VmSpec
from include.planner import Facts, see
from include.planner.names import SERVICE_MARK
from include.traces import names_left, traces
from snowmelt.errors import SnowmeltError
from snowmelt.hooks.puppetdb import PuppetDbHook
from snowmelt.look import facts
from snowmelt.operators.base import deadline
from snowmelt.operators.sweep import Sweep
from snowmelt.operators.vm import CreateVm
from snowmelt.ours import rollouts_of
from snowmelt.remains import forget_remains

if TYPE_CHECKING:
    from airflow.sdk import Context

# longer than any trial; what the VM leaves in other systems goes with the next trial
LIFE = timedelta(days=1)


class CreateTrialVm(CreateVm):
    """Make the VM as its service would, but from the new image."""

    def _spec(self) -> VmSpec:
        spec = super()._spec()
        context = {**spec.context, SERVICE_MARK: self.rollout["tries_for"]}
        return replace(spec, context=context, disks=tuple(self.rollout["disks"]))

    def _ends_at(self) -> int | None:
        """Whatever becomes of this run: OpenNebula ends the VM."""
        return int(deadline(LIFE))


class RetireTrial(Sweep):
    """Remove the trial VM and all that other systems know of it, however the trial ended.

    And what earlier trials of this service left: there is one at a time. Audits do not know its
    rollouts, as no trial is in the catalogue; the runs of this DAG tell which are ours.
    """

    def left(self) -> Sequence[CloudVm]:
        """All VMs of trials of this service: OpenNebula alone tells, whoever else is away."""
        return self.ours()

    def execute(self, context: Context) -> Any:
        return self.terminate(context)  # it is in no pool

    def forget(self, context: Context) -> Any:
        """Remove what is known of it, and look whether nothing is left."""
        rollouts = rollouts_of(context["ti"].dag_id, self.service.name, context)

        def named(known: Facts, nodes: Collection[str]) -> Iterable[str]:
            ours = self._planned | {*names_left(self.service, known, nodes, rollouts)}
            return ours - {vm.name for vm in see(self.service, known).foreign}

        names = forget_remains(self.service, named, self)
        nodes = PuppetDbHook(self.connections.puppetdb).nodes()
        if left := traces(self.service, names, facts(self.service), nodes):
            raise SnowmeltError("the trial left traces: " + "; ".join(left))
        self.log.info("nothing is left of %s", ", ".join(names))

    @property
    def _planned(self) -> set[str]:
        return {vm.name for vms in (self.plan.new, self.plan.leftovers) for vm in vms}
