"""The catalogue for those who work on the whole fleet: one wrong file stops no other service."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import TypeVar

from include.catalogue import CatalogueError, Service, load_service, service_names
from include.catalogue.fleet import Fleet, load_fleet
from include.catalogue.loader import requests_folder
from include.catalogue.model import Connections
from include.catalogue.requests import RequestPolicy, load_policy, merged
from snowmelt.errors import Refused

log = logging.getLogger(__name__)

T = TypeVar("T")


def readable_services(only: Collection[str] = ()) -> tuple[dict[str, Service], dict[str, str]]:
    """Return the services by name, and what is wrong with those that cannot be read."""
    services: dict[str, Service] = {}
    broken: dict[str, str] = {}
    for name in only or service_names():
        try:
            services[name] = load_service(name)
        except CatalogueError as error:
            broken[name] = str(error)
    return services, broken


def known_services() -> dict[str, Service]:
    """Return the services by name, and log an error for each whose file is wrong.

    For work that is done all the same for the others; what is left of a service that nobody can
    read looks like somebody else's meanwhile, which is never touched.
    """
    services, broken = readable_services()
    for problem in broken.values():
        log.error("left out: %s", problem)
    return services


def settled_service(name: str) -> Service:
    """Return a service; one that is not there, or whose file has a mistake, is `Refused`."""
    return _settled(partial(load_service, name))


def settled_fleet() -> Fleet:
    """Return the fleet's own file; one with a mistake is `Refused`."""
    return _settled(load_fleet)


def settled_policy() -> RequestPolicy:
    """Return what people may ask for; a file with a mistake is `Refused`."""
    return _settled(load_policy)


def _settled(load: Callable[[], T]) -> T:
    try:
        return load()
    except CatalogueError as error:
        raise Refused(str(error)) from error


def users_of(system: str, services: Iterable[Service]) -> dict[str, list[Service]]:
    """Return the Connections to one kind of system, each with the services that use it."""
    found: dict[str, list[Service]] = {}
    for service in services:
        found.setdefault(getattr(service.connections, system), []).append(service)
    return dict(sorted(found.items()))


def clouds_of(services: Iterable[Service]) -> list[str]:
    """Return the Connections of all OpenNebulas that *services* are on."""
    return list(users_of("opennebula", services))


def templates_named(cloud: str) -> frozenset[str]:
    """Return the VM templates on one OpenNebula that services, and offers of VMs, are made from."""
    found = {
        service.opennebula.template
        for service in known_services().values()
        if service.connections.opennebula == cloud and service.replicas
    }
    return frozenset(found | _offered(cloud))


def _offered(cloud: str) -> set[str]:
    if requests_folder() is None:
        return set()  # nobody can ask
    try:
        policy = load_policy()
    except CatalogueError as error:
        log.error("left out: %s", error)  # noqa: TRY400 - a sentence for people, no traceback
        return set()
    offers = [merged(policy.common, offer) for offer in policy.offers.values()]
    default = Connections().opennebula
    return {
        offer["opennebula"]["template"]
        for offer in offers
        if offer.get("connections", {}).get("opennebula", default) == cloud
    }
