"""Let a VM's users in to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snowmelt.identity import let_in
from snowmelt.operators.step import NewVmOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class OpenFirewall(NewVmOperator):
    """Put the VM's address into its service's group in the firewall, under the VM's name.

    After Puppet: an address is open to nobody before what listens there is as it should be.
    """

    def execute(self, context: Context) -> Any:
        wanted = self.service.firewall
        outcome = let_in(self.service, self.vm["fqdn"], self.address)
        self.log.info("%s %s in group %s", outcome, self.address, wanted and wanted.group)
