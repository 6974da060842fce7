"""Let a VM's users in to it, and take it into monitoring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snowmelt.hooks.monitoring import monitoring_for
from snowmelt.identity import let_in, monitor
from snowmelt.links import MonitoringLink
from snowmelt.operators.base import BRIEF_S, deadline
from snowmelt.operators.step import NewVmOperator
from snowmelt.triggers.monitoring import HealthyTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class MonitorVm(NewVmOperator):
    """Add the VM to monitoring and wait until every check on it has run and is ok.

    Before that the firewall, where the service has one, lets in to it: Puppet is done by now, and
    monitoring may stand on the other side. A step of its own would cost each VM another pass.
    """

    operator_extra_links = (MonitoringLink(),)

    def execute(self, context: Context) -> Any:
        self.must_be_there(self.address)
        self._let_in()
        wanted = self.service.monitoring
        if wanted is None:
            self.log.info("%s is not monitored", self.service.name)
            return None
        fqdn = self.vm["fqdn"]
        outcome = monitor(self.service, fqdn, self.address)
        self.log.info("%s %s in monitoring", outcome, fqdn)
        monitoring_for(self.connections.monitoring).check_now(fqdn)
        return self.wait(
            context,
            HealthyTrigger(
                conn_id=self.connections.monitoring,
                fqdn=fqdn,
                peers=[vm.fqdn for vm in self.plan.new],
                deadline=deadline(wanted.deadline),
            ),
            first_s=BRIEF_S,
        )

    def _let_in(self) -> None:
        if self.service.firewall is None:
            return
        outcome = let_in(self.service, self.vm["fqdn"], self.address)
        self.log.info("%s %s in group %s", outcome, self.address, self.service.firewall.group)
