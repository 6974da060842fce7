"""Give a VM its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snowmelt.hooks.nameserver import NameServerHook
from snowmelt.operators.step import NewVmOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class PublishDns(NewVmOperator):
    """Publish the VM's name and address, forward and reverse.

    Nobody asks for the name before it is there: a resolver would keep the "no such name".
    """

    def execute(self, context: Context) -> Any:
        self.must_be_there(self.address)
        dns = NameServerHook(self.connections.nameserver)
        ttl = int(self.service.dns.ttl.total_seconds())
        outcome = dns.ensure_address(self.vm["fqdn"], self.address, ttl)
        self.log.info("%s %s -> %s, both ways", outcome, self.vm["fqdn"], self.address)
