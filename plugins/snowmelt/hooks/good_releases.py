"""The good releases of each service, in an Airflow Variable that people can read and mend."""

from __future__ import annotations

from include.last_good import Good

PREFIX = "snowmelt_last_good_"


class GoodReleasesHook:
    """Newest first. Only a service's rollout writes, and that runs once at a time."""

    def read(self, service: str) -> list[Good]:
        """Return the good releases of a service."""
        from airflow.sdk import Variable

        found = Variable.get(PREFIX + service, default=None, deserialize_json=True)
        return [Good(**entry) for entry in found or ()]

    def write(self, service: str, known: list[Good]) -> None:
        """Keep these."""
        from airflow.sdk import Variable

        Variable.set(
            PREFIX + service,
            [good.to_json() for good in known],
            description=f"Releases of {service} that a rollout has verified, newest first",
            serialize_json=True,
        )

    def forget(self, service: str) -> None:
        """Keep nothing of a service that does not come back."""
        from airflow.sdk import Variable

        Variable.delete(PREFIX + service)
