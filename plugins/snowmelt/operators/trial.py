"""The trial VM of an image: made and enrolled as every VM, then removed whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from include.facts import VmSpec
from include.traces import traces
from snowmelt.errors import SnowmeltError
from snowmelt.hooks.puppetdb import PuppetDbHook
from snowmelt.look import facts
from snowmelt.operators.sweep import Sweep
from snowmelt.operators.vm import CreateVm

if TYPE_CHECKING:
    from airflow.sdk import Context


class CreateTrialVm(CreateVm):
    """Make the VM as its service would, but from the new image."""

    def _spec(self) -> VmSpec:
        spec = super()._spec()
        context = {**spec.context, "SNOWMELT_SERVICE": self.rollout["tries_for"]}
        return replace(spec, context=context, disks=tuple(self.rollout["disks"]))


class RetireTrial(Sweep):
    """Remove the trial VM and all that other systems know of it, however the trial ended."""

    def doomed(self) -> Sequence[str]:
        new = [vm.name for vm in self.plan.new]
        return [*new, *(vm.name for vm in self.plan.leftovers)]

    def execute(self, context: Context) -> Any:
        return self.begin(context)

    def forget(self, context: Context) -> Any:
        """Remove what is known of it, and look whether nothing is left."""
        super().forget(context)
        nodes = PuppetDbHook(self.connections.puppetdb).nodes()
        left = traces(self.service, self.doomed(), facts(self.service), nodes)
        if left:
            raise SnowmeltError("the trial left traces: " + "; ".join(left))
        self.log.info("nothing is left of %s", ", ".join(self.doomed()))
