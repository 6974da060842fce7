"""The good releases of each service, in an Airflow Variable that people can read and mend."""

from __future__ import annotations

from include.last_good import Good
from snowmelt.hooks.variable import JsonVariable

PREFIX = "snowmelt_last_good_"


class GoodReleasesHook:
    """Newest first. Only a service's rollout writes, and that runs once at a time."""

    def read(self, service: str) -> list[Good]:
        """Return the good releases of a service."""
        return _kept(service).read()

    def write(self, service: str, known: list[Good]) -> None:
        """Keep these."""
        _kept(service).write(known)

    def forget(self, service: str) -> None:
        """Keep nothing of a service that does not come back."""
        _kept(service).forget()


def _kept(service: str) -> JsonVariable[list[Good]]:
    return JsonVariable(
        name=PREFIX + service,
        shape=list[Good],
        empty=list,
        description=f"Releases of {service} that a rollout has verified, newest first",
    )
