"""The trial VM of an image: made and enrolled as every VM, then removed whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from include.facts import CloudVm, VmSpec
from include.planner import see
from include.traces import names_left, traces
from snowmelt.errors import SnowmeltError
from snowmelt.hooks.puppetdb import PuppetDbHook
from snowmelt.look import facts
from snowmelt.operators.base import deadline
from snowmelt.operators.sweep import Sweep
from snowmelt.operators.vm import CreateVm
from snowmelt.ours import rollouts_of

if TYPE_CHECKING:
    from airflow.sdk import Context

# longer than any trial; what the VM leaves in other systems goes with the next trial
LIFE = timedelta(days=1)


class CreateTrialVm(CreateVm):
    """Make the VM as its service would, but from the new image."""

    def _spec(self) -> VmSpec:
        spec = super()._spec()
        context = {**spec.context, "SNOWMELT_SERVICE": self.rollout["tries_for"]}
        return replace(spec, context=context, disks=tuple(self.rollout["disks"]))

    def _ends_at(self) -> int | None:
        """Whatever becomes of this run: OpenNebula ends the VM."""
        return int(deadline(LIFE))


class RetireTrial(Sweep):
    """Remove the trial VM and all that other systems know of it, however the trial ended.

    And what earlier trials of this service left: there is one at a time. Audits do not know its
    rollouts, as no trial is in the catalogue; the runs of this DAG tell which are ours.
    """

    names: Sequence[str] = ()

    def doomed(self) -> Sequence[str]:
        return self.names

    def left(self) -> Sequence[CloudVm]:
        return self.ours()

    def execute(self, context: Context) -> Any:
        return self.terminate(context)  # it is in no pool

    def terminate(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Say anew what goes, as this may be another process, then terminate it."""
        self.names = self._names(context)
        return super().terminate(context, event)

    def _names(self, context: Context) -> list[str]:
        known = facts(self.service)
        nodes = PuppetDbHook(self.connections.puppetdb).nodes()
        rollouts = rollouts_of(context["ti"].dag_id, self.service.name, context)
        new, before = ({vm.name for vm in vms} for vms in (self.plan.new, self.plan.leftovers))
        ours = new | before | {*names_left(self.service, known, nodes, rollouts)}
        return sorted(ours - {vm.name for vm in see(self.service, known).foreign})

    def forget(self, context: Context) -> Any:
        """Remove what is known of it, and look whether nothing is left."""
        super().forget(context)
        nodes = PuppetDbHook(self.connections.puppetdb).nodes()
        left = traces(self.service, self.doomed(), facts(self.service), nodes)
        if left:
            raise SnowmeltError("the trial left traces: " + "; ".join(left))
        self.log.info("nothing is left of %s", ", ".join(self.doomed()))
