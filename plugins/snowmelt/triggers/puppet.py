"""Waits for the Puppet CA, and for PuppetDB with one look for all VMs of a rollout."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from include.facts import PuppetReport
from include.verdict import Verdict
from include.waits import report_verdict, request_verdict
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.hooks.puppetdb import PuppetDbHook
from snowmelt.triggers.base import WaitTrigger
from snowmelt.triggers.snapshot import shared


@dataclass(kw_only=True, eq=False, repr=False)
class CertificateAskedTrigger(WaitTrigger):
    """Wait until the CA holds a request, or a certificate, of *certname*.

    By its name: for a list a Puppet CA reads the certificates of the whole fleet.
    """

    conn_id: str
    certname: str
    interval: float = 1.0

    async def check(self) -> Verdict:
        ca, key = PuppetCaHook(self.conn_id), ("certificate", self.conn_id, self.certname)
        found = await shared(key, self.interval / 2, lambda: ca.certificate(self.certname))
        return request_verdict(self.certname, found.state if found else None)


@dataclass(kw_only=True, eq=False, repr=False)
class GoodReportTrigger(WaitTrigger):
    """Wait for the first good Puppet report of *certname*; *peers* are looked at in one query.

    The report with the hash *stale* is not this VM's: it was there before it had a certificate.
    """

    conn_id: str
    certname: str
    peers: list[str]
    stale: str = ""
    interval: float = 1.0
    failed: frozenset[str] = field(default=frozenset(), init=False)  # the hashes of failed reports
    since: float = field(default=0.0, init=False)  # when the last of them came

    async def check(self) -> Verdict:
        report = (await self._reports()).get(self.certname)
        if report and report.report_hash == self.stale:
            report = None
        if report and report.status == "failed" and report.report_hash not in self.failed:
            self.failed, self.since = self.failed | {report.report_hash}, time.monotonic()
        waited_s = time.monotonic() - self.since
        return report_verdict(self.certname, report, len(self.failed), waited_s)

    async def _reports(self) -> dict[str, PuppetReport]:
        hook, names = PuppetDbHook(self.conn_id), tuple(sorted(self.peers))
        return await shared(
            ("reports", self.conn_id, names), self.interval / 2, lambda: hook.last_reports(names)
        )
