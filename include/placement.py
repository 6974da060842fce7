"""Where the VMs of a service are known: what its file may not change while it has any."""

from __future__ import annotations

from collections.abc import Mapping

from include.catalogue.model import Service

# what a service may get later: the audit lets its VMs in, and takes them into monitoring, in place
_MAY_COME = ("connections.monitoring", "connections.firewall", "firewall.group")


def placement(service: Service) -> dict[str, str]:
    """Return the fields by which the VMs of a service are found, "" for what it has none of."""
    ids, balancer, firewall = service.connections, service.balancer, service.firewall
    return {
        "connections.opennebula": ids.opennebula,
        "connections.puppet_ca": ids.puppet_ca,
        "connections.puppetdb": ids.puppetdb,
        "connections.nameserver": ids.nameserver,
        "dns.zone": service.dns.zone,
        "connections.balancer": ids.balancer if balancer else "",
        "balancer.pool": balancer.pool if balancer else "",
        "connections.monitoring": ids.monitoring if service.monitoring else "",
        "connections.firewall": ids.firewall if firewall else "",
        "firewall.group": firewall.group if firewall else "",
    }


def moved(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return what has changed, as a sentence for each field."""
    return [
        f"{field} was {before[field] or 'not there'}, and is {here or 'not there'}"
        for field, here in now.items()
        if before.get(field, here) != here and (before[field] or field not in _MAY_COME)
    ]
