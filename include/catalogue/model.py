"""One service of the catalogue: everything that is decided before a rollout runs.

Secrets are never here: Airflow Connections hold them, and a file only names the connection.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from include.catalogue.maintenance import Maintenance
from include.catalogue.parts import (
    Balancer,
    Canary,
    Connections,
    Dns,
    Drain,
    Firewall,
    Limits,
    Monitoring,
    OpenNebula,
    Package,
    Puppet,
    Watch,
)
from include.catalogue.types import Duration, Part, Release, Sentence, ServiceName

__all__ = [  # the parts, too: who uses a service need not know their file
    "Balancer",
    "Canary",
    "Connections",
    "Dns",
    "Drain",
    "Firewall",
    "Limits",
    "Monitoring",
    "OpenNebula",
    "Package",
    "Puppet",
    "Service",
    "Watch",
]

# X.509 ends a common name at 64 characters (RFC 5280, ub-common-name); the FQDN is the certname.
_CERTNAME_LIMIT = 64
MOST_VMS = 1000  # slots 0 to 999
_NAME_TAIL = len("-k3f9x2q-999.")


class Service(Part):
    """What users depend on: one file of the catalogue."""

    name: ServiceName
    """Its file is called so, its DAG `rollout_<name>`, and its VMs' names begin with it."""
    owner: Sentence
    """Who answers for the service."""
    description: Sentence
    """What the service is, for those who do not know it."""
    release: Release
    """Release that is wanted when a run names none and nothing runs."""
    replicas: Annotated[int, Field(ge=0, le=MOST_VMS)]
    """Number of VMs that serve; 0 where the service is retired."""
    opennebula: OpenNebula
    dns: Dns
    puppet: Puppet
    package: Package
    monitoring: Monitoring | None = None
    """How monitoring knows the VMs. Left out: not at all, which goes without balancer only."""
    balancer: Balancer | None = None
    """Where the VMs take traffic. Left out: nobody waits for their answer."""
    firewall: Firewall | None = None
    """What a central firewall has to know. Left out: none stands before the VMs."""
    drain: Drain = Drain()
    strategy: Literal["blue_green", "rolling"] = "blue_green"
    """All new VMs beside the old ones (blue_green), or a few at a time (rolling)."""
    surge: Annotated[int, Field(ge=0)] | None = None
    """Number of VMs above replicas at a time. Left out: all (blue_green) or none (rolling)."""
    max_unavailable: Annotated[int, Field(ge=0)] = 0
    """Number of VMs below replicas at a time that a rollout may leave serving."""
    canary: Canary = Canary()
    watch: Watch = Watch()
    max_age: Duration = timedelta(hours=24)
    """How old a VM may get. Left out: max_age of fleet.yaml holds."""
    expires_at: AwareDatetime | None = None
    """When it retires, for a VM that somebody asked for: "2027-01-10T12:00:00Z"."""
    maintenance: Maintenance = Maintenance()
    limits: Limits = Limits()
    connections: Connections = Connections()

    def fqdn(self, vm_name: str) -> str:
        """Return the FQDN of a VM, which is its certname and its name in monitoring too."""
        return f"{vm_name}.{self.dns.zone}"

    @model_validator(mode="after")
    def _can_move(self) -> Self:
        if self.surge == 0 and self.max_unavailable == 0:
            raise ValueError("surge and max_unavailable are both 0: nothing could ever move")
        rolling = self.strategy == "rolling"
        if rolling and not (self.surge or self.max_unavailable):
            raise ValueError(
                "rolling needs surge or max_unavailable: how many VMs are replaced at a time"
            )
        if not rolling and self.surge is not None and self.surge < self.replicas:
            raise ValueError(
                f"surge {self.surge} < replicas {self.replicas}: blue_green makes all new VMs"
                " beside the old ones; leave surge out or raise it"
            )
        return self

    @model_validator(mode="after")
    def _keeps_serving(self) -> Self:
        if 0 < self.replicas <= self.max_unavailable:
            raise ValueError(
                f"max_unavailable {self.max_unavailable} of {self.replicas} replicas:"
                " a rollout could leave none serving"
            )
        return self

    @model_validator(mode="after")
    def _members_are_monitored(self) -> Self:
        if self.balancer and not self.monitoring:
            raise ValueError("balancer without monitoring: what takes traffic has to be monitored")
        return self

    @model_validator(mode="after")
    def _certificate_outlives_vm(self) -> Self:
        if self.puppet.certificate_ttl <= self.max_age:
            raise ValueError(
                "puppet.certificate_ttl must be longer than max_age:"
                " a VM would outlive its certificate"
            )
        return self

    @model_validator(mode="after")
    def _sessions_fit_the_drain(self) -> Self:
        if self.drain.idle > self.drain.deadline:
            raise ValueError("drain.idle is longer than drain.deadline: no drain could end early")
        return self

    @model_validator(mode="after")
    def _certname_fits(self) -> Self:
        length = len(self.name) + _NAME_TAIL + len(self.dns.zone)
        if length > _CERTNAME_LIMIT:
            raise ValueError(
                f"names of VMs get {length} characters long and a certificate takes"
                f" {_CERTNAME_LIMIT}: shorten name or dns.zone by {length - _CERTNAME_LIMIT}"
            )
        return self
