"""What other systems know of a VM: firewall, monitoring, certificate, PuppetDB node, names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from include.catalogue.model import Service
from include.verdict import Outcome
from snowmelt.errors import SnowmeltError, Unreachable, raise_all
from snowmelt.hooks.firewall import firewall_for
from snowmelt.hooks.monitoring import SERVICE_VARIABLE, monitoring_for
from snowmelt.hooks.nameserver import NameServerHook
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.hooks.puppetdb import PuppetDbHook

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


def monitor(service: Service, fqdn: str, address: str) -> Outcome:
    """Take a VM into monitoring as its service wants it; `UNCHANGED` for one that wants none."""
    wanted = service.monitoring
    if wanted is None:
        return Outcome.UNCHANGED
    variables = {**wanted.vars, SERVICE_VARIABLE: service.name}
    hook = monitoring_for(service.connections.monitoring)
    return hook.ensure_host(fqdn, address, wanted.template, variables)


def let_in(service: Service, fqdn: str, address: str) -> Outcome:
    """Let a VM's users in to it; `UNCHANGED` where its service has no firewall."""
    if service.firewall is None:
        return Outcome.UNCHANGED
    firewall = firewall_for(service.connections.firewall)
    return firewall.ensure_entry(service.firewall.group, fqdn, address)


def retirements(
    service: Service, fqdn: str, address: str | None, *, revoke: bool
) -> Iterator[tuple[str, Callable[[], Outcome]]]:
    """Yield (what, how to remove it) for all that is known of *fqdn*, in the order to do it.

    Monitoring first, or it would page for a VM that goes on purpose; then nobody can reach it any
    more, and its address is free of what was open for it. The names come last: a
    person who looks into a failure half-way can still reach the VM by its name.
    """
    conns = service.connections
    if service.monitoring is not None:
        monitoring = monitoring_for(conns.monitoring)
        yield "monitoring", partial(monitoring.remove_host, fqdn)
    if service.firewall is not None:
        firewall, group = firewall_for(conns.firewall), service.firewall.group
        yield "firewall entry", partial(firewall.remove_entries, group, fqdn)
    ca = PuppetCaHook(conns.puppet_ca)
    yield "certificate", partial(ca.remove_certificate, fqdn, revoke=revoke)
    yield "PuppetDB node", partial(PuppetDbHook(conns.puppetdb).deactivate, fqdn)
    yield "names", partial(NameServerHook(conns.nameserver).remove_address, fqdn, address)


def forget(service: Service, names: Iterable[str], task: BaseOperator) -> None:
    """Remove what is known of VMs that are gone, and revoke their keys, which may be anywhere.

    The log of *task* tells what goes. One system that does not answer must not keep the others
    from forgetting a VM, and is not waited for once more for each of the other VMs.

    Raises:
        SnowmeltError: something stays; all else is removed.
    """
    failed, away = list[SnowmeltError](), set[str]()
    for fqdn in map(service.fqdn, names):
        for what, remove in retirements(service, fqdn, None, revoke=True):
            if what in away:
                task.log.warning("%s of %s stays", what, fqdn)
            elif error := _told(f"{what} of {fqdn}", remove, task):
                failed.append(error)
                if isinstance(error, Unreachable):
                    away.add(what)
    raise_all(failed)


def _told(what: str, remove: Callable[[], Outcome], task: BaseOperator) -> SnowmeltError | None:
    try:
        task.log.info("%s %s", remove(), what)
    except SnowmeltError as error:
        task.log.warning("%s stays: %s", what, error)
        return error
    return None
