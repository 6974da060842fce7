"""Take away what other systems know of an old VM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snowmelt.identity import retirements
from snowmelt.operators.step import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class RetireIdentity(StepOperator):
    """Remove the VM from monitoring, firewall, CA, PuppetDB and DNS. There is no way back then.

    The certificate is deleted, not revoked: it was signed for hours and its key goes with the
    VM's disk. A thousand revocations a day would make the revocation list 18 MB.
    """

    def execute(self, context: Context) -> Any:
        fqdn, address = self.vm["fqdn"], self.vm["address"] or None
        for what, remove in retirements(self.service, fqdn, address, revoke=False):
            self.log.info("%s %s of %s", remove(), what, fqdn)
