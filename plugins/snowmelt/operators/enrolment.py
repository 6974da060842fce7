"""Take a VM into Puppet: only one whose certificate request proves who it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.enrolment import not_by_us, objection
from snowmelt.errors import Refused, SnowmeltError
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.hooks.puppetdb import PuppetDbHook
from snowmelt.links import PuppetReportLink
from snowmelt.operators.base import deadline
from snowmelt.operators.step import StepOperator
from snowmelt.triggers.puppet import CertificateAskedTrigger, GoodReportTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class EnrolInPuppet(StepOperator):
    """Wait for the VM's certificate request, check it, sign it, wait for its first good report."""

    operator_extra_links = (PuppetReportLink(),)

    def execute(self, context: Context) -> Any:
        self.must_be_there()
        return self.wait(
            context,
            CertificateAskedTrigger(
                conn_id=self.connections.puppet_ca,
                certname=self.vm["fqdn"],
                deadline=deadline(self.service.puppet.enrol_deadline),
            ),
            then="sign",
            first_s=0,  # it boots while its name is published, and mostly has asked by now
        )

    def sign(self, context: Context, event: dict[str, Any]) -> Any:
        """Sign the request if it carries this VM's token; a refused one stays unsigned."""
        self.settle(event)
        stale = self._ensure_signed()
        return self.wait(
            context,
            GoodReportTrigger(
                conn_id=self.connections.puppetdb,
                certname=self.vm["fqdn"],
                peers=[vm.fqdn for vm in self.plan.new],
                stale=stale,
                deadline=deadline(self.service.puppet.enrol_deadline),
            ),
        )

    def _ensure_signed(self) -> str:
        """Return the hash of the report that an earlier VM of this name left behind, or ""."""
        ca, fqdn = PuppetCaHook(self.connections.puppet_ca), self.vm["fqdn"]
        request = ca.request(fqdn)
        if request is None:
            self._must_be_signed(ca)
            return self._report_before_this_vm()
        reason = objection(request, fqdn, self.plan.rollout, ca.enrolment_key, datetime.now(UTC))
        if reason:
            raise Refused(f"the certificate request of {fqdn} stays unsigned: {reason}")
        # who has no certificate yet has sent no report: what there is came from another VM
        stale = PuppetDbHook(self.connections.puppetdb).last_reports([fqdn]).get(fqdn)
        ttl_s = int(self.service.puppet.certificate_ttl.total_seconds())
        certificate, outcome = ca.ensure_signed(request, ttl_s)
        self.log.info("%s certificate of %s, %s", outcome, fqdn, certificate.fingerprint)
        return stale.report_hash if stale else ""

    def _report_before_this_vm(self) -> str:
        """As above, where the answer of a signature was lost: this VM may have sent its own."""
        puppetdb, fqdn = PuppetDbHook(self.connections.puppetdb), self.vm["fqdn"]
        last = puppetdb.last_reports([fqdn]).get(fqdn)
        if last is None:
            return ""
        made_at = self.must_be_there().created_at
        return "" if puppetdb.last_reports([fqdn], since=made_at) else last.report_hash

    def _must_be_signed(self, ca: PuppetCaHook) -> None:
        certificate = ca.certificate(self.vm["fqdn"])
        if certificate is None:
            raise SnowmeltError(f"the certificate request of {self.vm['fqdn']} has vanished")
        if certificate.state != "signed":
            raise Refused(f"the certificate of {self.vm['fqdn']} is {certificate.state}")
        if not_by_us(certificate, self.service.puppet.certificate_ttl, datetime.now(UTC)):
            raise Refused(
                f"the certificate of {self.vm['fqdn']} is valid until {certificate.not_after}, so"
                " nobody has checked its request: set autosign = false in puppet.conf of the CA"
            )
        self.log.info("unchanged certificate of %s: signed before", self.vm["fqdn"])
