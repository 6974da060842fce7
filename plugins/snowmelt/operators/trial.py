"""The trial VM of an image: made and enrolled as every VM, then removed whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from include.facts import VmSpec
from include.planner import parse_name
from include.traces import traces
from snowmelt.errors import SnowmeltError
from snowmelt.hooks.puppetdb import PuppetDbHook
from snowmelt.look import facts
from snowmelt.operators.base import deadline
from snowmelt.operators.sweep import Sweep
from snowmelt.operators.vm import CreateVm

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
    """Remove the trial VM and all that other systems know of it, however the trial ended."""

    def doomed(self) -> Sequence[str]:
        return self._names

    @cached_property
    def _names(self) -> list[str]:
        """All that any system knows of trials of this service: there is one at a time."""
        known = facts(self.service)
        fqdns = [c.certname for c in known.certificates] + [a.fqdn for a in known.addresses]
        names = {vm.name for vm in known.vms} | {fqdn.partition(".")[0] for fqdn in fqdns}
        parsed = {name: parse_name(name) for name in names}
        ours = {name for name, parts in parsed.items() if parts and parts[0] == self.service.name}
        return sorted(ours | {vm.name for vm in self.plan.new})

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
