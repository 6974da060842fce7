"""Whose an FQDN is, by its parts: a service of the catalogue, and the zone of that service."""

from __future__ import annotations

from include.catalogue.model import Service
from include.planner import parse_name, short_name


def is_of(service: Service, fqdn: str) -> bool:
    """Return whether *fqdn* reads like that of a VM of *service*; a person may have chosen it."""
    name = short_name(fqdn)
    parts = parse_name(name)
    return parts is not None and parts.service == service.name and service.fqdn(name) == fqdn
