"""Take away what other systems know of an old VM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.planner import may_retire
from snowmelt.identity import retirements
from snowmelt.look import look_at_traffic
from snowmelt.operators.step import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class RetireIdentity(StepOperator):
    """Remove the VM from monitoring, firewall, CA, PuppetDB and DNS. There is no way back then.

    The certificate is deleted, not revoked: it was signed for hours and its key goes with the
    VM's disk. A thousand revocations a day would make the revocation list 18 MB.
    """

    def execute(self, context: Context) -> Any:
        self._must_not_be_needed()
        fqdn, address = self.vm["fqdn"], self.vm["address"] or None
        for what, remove in retirements(self.service, fqdn, address, revoke=False):
            self.log.info("%s %s of %s", remove(), what, fqdn)

    def _must_not_be_needed(self) -> None:
        """Where somebody clears this step long after the way back, the VM serves on."""
        seen = look_at_traffic(self.service, self.plan.scope)
        self.guard(may_retire(self.service, self.plan, seen, self.vm["name"], drained=True))
