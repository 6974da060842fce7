"""Where the VMs of each service are known, in an Airflow Variable that people can read and mend."""

from __future__ import annotations

from collections.abc import Mapping

from snowmelt.hooks.variable import JsonVariable

PREFIX = "snowmelt_placed_"


class PlacementsHook:
    """As `include.placement` tells it. Only a service's rollout writes, and that runs once."""

    def read(self, service: str) -> dict[str, str]:
        """Return where the VMs of a service are; nothing where no rollout has said so."""
        return _kept(service).read()

    def write(self, service: str, placed: Mapping[str, str]) -> None:
        """Keep this."""
        _kept(service).write(dict(placed))

    def forget(self, service: str) -> None:
        """Keep nothing of a service that has no VMs any more."""
        _kept(service).forget()


def _kept(service: str) -> JsonVariable[dict[str, str]]:
    return JsonVariable(
        name=PREFIX + service,
        shape=dict[str, str],
        empty=dict,
        description=f"Where the VMs of {service} are known: a rollout refuses another place",
    )
