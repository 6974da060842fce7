"""Mend one finding of an audit, by the same idempotent verbs that rollouts use."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from include.audit import Act, Finding
from include.catalogue.model import Service
from include.verdict import Outcome
from snowmelt.errors import Missing
from snowmelt.hooks.balancer import balancer_for
from snowmelt.hooks.firewall import firewall_for
from snowmelt.hooks.monitoring import monitoring_for
from snowmelt.hooks.nameserver import NameServerHook
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.hooks.puppetdb import PuppetDbHook
from snowmelt.identity import let_in, monitor

# what gives something to a VM: one that has gone by then would leave it to whoever comes next
_ADDING: tuple[Act, ...] = ("publish names", "open firewall", "monitor VM")


def mend(service: Service, found: Finding) -> Outcome:
    """Do what the finding asks for. A rollout is not among it: Airflow starts that."""
    if found.act in _ADDING and not _still_runs(service, found):
        return Outcome.UNCHANGED
    return MENDS[found.act](service, found)


def _still_runs(service: Service, found: Finding) -> bool:
    """Whether what is to be added is still for somebody: hundreds of repairs take minutes."""
    cloud = OpenNebulaHook(service.connections.opennebula)
    try:
        return found.vm_id is not None and cloud.vm(found.vm_id).phase == "running"
    except Missing:
        return False


def _remove_member(service: Service, found: Finding) -> Outcome:
    if service.balancer is None:
        return Outcome.UNCHANGED
    balancer = balancer_for(service.connections.balancer)
    # its VM is gone: whatever connection is left leads nowhere
    return balancer.remove_member(service.balancer.pool, found.name, cut=True)


def _terminate(service: Service, found: Finding) -> Outcome:
    """Terminate a VM on hold, and only if it still is: it never ran, so nobody depends on it."""
    cloud = OpenNebulaHook(service.connections.opennebula)
    if found.vm_id is None or cloud.vm(found.vm_id).phase != "held":
        return Outcome.UNCHANGED
    return cloud.terminate(found.vm_id)


def _remove_host(service: Service, found: Finding) -> Outcome:
    return monitoring_for(service.connections.monitoring).remove_host(service.fqdn(found.name))


def _monitor(service: Service, found: Finding) -> Outcome:
    """Take the VM in anew: a host of another address would be a conflict.

    One without our variable is somebody's: it stays, and is that conflict.
    """
    fqdn, monitoring = service.fqdn(found.name), monitoring_for(service.connections.monitoring)
    if fqdn in monitoring.hosts(service.name):
        monitoring.remove_host(fqdn)
    return monitor(service, fqdn, found.address)


def _remove_certificate(service: Service, found: Finding) -> Outcome:
    """Revoke it too: where its VM went nobody saw, so its key may be anywhere."""
    ca = PuppetCaHook(service.connections.puppet_ca)
    return ca.remove_certificate(service.fqdn(found.name), revoke=True)


def _deactivate(service: Service, found: Finding) -> Outcome:
    return PuppetDbHook(service.connections.puppetdb).deactivate(service.fqdn(found.name))


def _remove_names(service: Service, found: Finding) -> Outcome:
    dns = NameServerHook(service.connections.nameserver)
    return dns.remove_address(service.fqdn(found.name), found.address)


def _publish(service: Service, found: Finding) -> Outcome:
    dns = NameServerHook(service.connections.nameserver)
    ttl = int(service.dns.ttl.total_seconds())
    return dns.ensure_address(service.fqdn(found.name), found.address, ttl)


def _close(service: Service, found: Finding) -> Outcome:
    if service.firewall is None:
        return Outcome.UNCHANGED
    firewall, fqdn = firewall_for(service.connections.firewall), service.fqdn(found.name)
    return firewall.remove_entries(service.firewall.group, fqdn, found.address)


def _open(service: Service, found: Finding) -> Outcome:
    return let_in(service, service.fqdn(found.name), found.address)


MENDS: Mapping[Act, Callable[[Service, Finding], Outcome]] = {
    "remove member": _remove_member,
    "terminate VM": _terminate,
    "remove host": _remove_host,
    "remove certificate": _remove_certificate,
    "deactivate node": _deactivate,
    "remove entry": _close,
    "open firewall": _open,
    "remove names": _remove_names,
    "publish names": _publish,
    "monitor VM": _monitor,
}
