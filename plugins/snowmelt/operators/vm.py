"""Make a VM, and remove it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from include.catalogue.requests import GRACE
from include.enrolment import make_token
from include.facts import CloudVm, VmSpec
from include.first_boot import first_boot_context
from include.planner import Facts, may_create, see
from snowmelt.errors import Conflict, SnowmeltError
from snowmelt.hooks.balancer import balancer_for
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.links import VmLink
from snowmelt.operators.base import deadline
from snowmelt.operators.step import StepOperator
from snowmelt.triggers.cloud import VmGoneTrigger, VmRunningTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

# how long a guest may take to shut down by itself before the plug is pulled
SHUTDOWN = timedelta(seconds=60)


class CreateVm(StepOperator):
    """Make the VM under its name, or find the one that an earlier attempt made; wait until it runs.

    Returns {"vm_id": int, "address": str}.
    """

    operator_extra_links = (VmLink(),)
    vm_id: int | None = None

    def execute(self, context: Context) -> Any:
        self._must_have_room()
        return self._create(context)

    def _create(self, context: Context) -> Any:
        vm, outcome = self.cloud.ensure_vm(self._spec())
        self.log.info("%s VM %s (%s): %s", outcome, vm.vm_id, vm.name, vm.state)
        if vm.phase == "failed":
            # it keeps its name until it is gone: the next try makes a new one, maybe elsewhere
            self.cloud.terminate(vm.vm_id)
            raise SnowmeltError(f"{vm.name} (VM {vm.vm_id}) failed to start: {vm.message}")
        return self.wait(
            context,
            VmRunningTrigger(
                conn_id=self.connections.opennebula,
                name=vm.name,
                vm_id=vm.vm_id,
                deadline=deadline(self.service.opennebula.boot_deadline),
            ),
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        self.settle(event)
        found = self.cloud.find(self.vm["name"], self.plan.scope)
        if not found:
            raise SnowmeltError(f"{self.vm['name']} ran and has gone")
        vm = found[0]
        self.vm_id = vm.vm_id
        return {"vm_id": vm.vm_id, "address": address_of(vm)}

    def _must_have_room(self) -> None:
        vms = self.cloud.vms_named(self.service.name, self.plan.scope)
        seen = see(self.service, Facts(vms=vms))
        self.guard(may_create(self.service, self.plan, seen, self.vm["name"]))

    def _spec(self) -> VmSpec:
        cloud, puppet, plan = self.service.opennebula, self.service.puppet, self.plan
        # the token outlives all that happens before the request, and nothing after it
        expires_at = int(
            time.time() + (cloud.boot_deadline + puppet.enrol_deadline).total_seconds()
        )
        key = PuppetCaHook(self.connections.puppet_ca).enrolment_key
        context = first_boot_context(
            fqdn=self.vm["fqdn"],
            token=make_token(key, self.vm["fqdn"], plan.rollout, expires_at),
            puppet_server=puppet.server,
            environment=puppet.environment,
            role=puppet.role,
            service=self.service.name,
            release=plan.release,
            slot=self.vm["slot"],
        )
        return VmSpec(
            name=self.vm["name"],
            fqdn=self.vm["fqdn"],
            template=cloud.template,
            service=self.service.name,
            rollout=plan.rollout,
            slot=self.vm["slot"],
            release=plan.release,
            cpu=cloud.cpu,
            vcpu=cloud.vcpu,
            memory_mb=cloud.memory_mb,
            networks=cloud.networks,
            context=context,
            ends_at=self._ends_at(),
            scope=plan.scope,
        )

    def _ends_at(self) -> int | None:
        """OpenNebula ends the VM if we cannot: a little later, so that ours comes first."""
        end = self.service.expires_at
        return int((end + GRACE).timestamp()) if end else None


def address_of(vm: CloudVm) -> str:
    """Return the address under which a VM is published: that of its first network card."""
    if not vm.addresses:
        raise SnowmeltError(f"{vm.name} (VM {vm.vm_id}) has no address: has it a network card?")
    return vm.addresses[0]


class TerminateVm(StepOperator):
    """Shut the VM down and wait until it is gone; pull the plug if the guest does not listen."""

    def execute(self, context: Context) -> Any:
        self._must_not_serve()
        self._terminate(hard=False)
        return self.wait(context, self._gone(SHUTDOWN), then="insist")

    def insist(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on when the VM is gone, else terminate it the hard way and wait again."""
        if event["status"] == "done":
            return self.execute_complete(context, event)
        self.log.warning("%s did not shut down: %s", self.vm["name"], event["detail"])
        self._terminate(hard=True)
        return self.wait(context, self._gone(SHUTDOWN))

    def _terminate(self, *, hard: bool) -> None:
        outcome = self.cloud.terminate(self.vm["vm_id"], hard=hard)
        self.log.info("%s VM %s (%s)", outcome, self.vm["vm_id"], self.vm["name"])

    def _must_not_serve(self) -> None:
        if self.service.balancer is None:
            return
        balancer = balancer_for(self.connections.balancer)
        names = [m.name for m in balancer.members(self.service.balancer.pool)]
        if self.vm["name"] in names:
            raise Conflict(
                f"{self.vm['name']} is in pool {self.service.balancer.pool} again: it is not"
                " terminated while a balancer lists it. Run the rollout again."
            )

    def _gone(self, limit: timedelta) -> VmGoneTrigger:
        return VmGoneTrigger(
            conn_id=self.connections.opennebula,
            name=self.vm["name"],
            vm_id=self.vm["vm_id"],
            deadline=deadline(limit),
        )
