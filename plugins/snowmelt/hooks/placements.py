"""Where the VMs of each service are known, in an Airflow Variable that people can read and mend."""

from __future__ import annotations

from collections.abc import Mapping

PREFIX = "snowmelt_placed_"


class PlacementsHook:
    """As `include.placement` tells it. Only a service's rollout writes, and that runs once."""

    def read(self, service: str) -> dict[str, str]:
        """Return where the VMs of a service are; nothing where no rollout has said so."""
        from airflow.sdk import Variable

        found = Variable.get(PREFIX + service, default=None, deserialize_json=True)
        return dict(found or {})

    def write(self, service: str, placed: Mapping[str, str]) -> None:
        """Keep this."""
        from airflow.sdk import Variable

        Variable.set(
            PREFIX + service,
            dict(placed),
            description=f"Where the VMs of {service} are known: a rollout refuses another place",
            serialize_json=True,
        )

    def forget(self, service: str) -> None:
        """Keep nothing of a service that has no VMs any more."""
        from airflow.sdk import Variable

        Variable.delete(PREFIX + service)
