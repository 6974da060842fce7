"""One service of the catalogue: everything that is decided before a rollout runs.

Secrets are never here: Airflow Connections hold them, and a file only names the connection.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from include.catalogue.maintenance import Maintenance
from include.catalogue.types import (
    DomainName,
    Duration,
    PackageName,
    Part,
    Port,
    PuppetName,
    Release,
    Sentence,
    ServiceName,
    ShortName,
)

# X.509 ends a common name at 64 characters (RFC 5280, ub-common-name); the FQDN is the certname.
_CERTNAME_LIMIT = 64
_NAME_TAIL = len("-k3f9x2q-999.")


class OpenNebula(Part):
    """What the VMs are made of."""

    template: Sentence  # by name: ids differ from cloud to cloud
    cpu: Annotated[float, Field(gt=0)]  # share of a physical core that the scheduler counts
    vcpu: Annotated[int, Field(ge=1)]
    memory_mb: Annotated[int, Field(ge=16)]
    networks: tuple[Sentence, ...] = ()  # by name; empty means those of the template
    boot_deadline: Duration = timedelta(minutes=10)


class Dns(Part):
    """Where the names of the VMs live."""

    zone: DomainName
    reverse_zone: DomainName | None = None  # none: the zone of ours that holds the address
    ttl: Duration = timedelta(seconds=60)


class Puppet(Part):
    """Who configures the inside of the VMs."""

    server: DomainName
    environment: PuppetName = "production"
    role: PuppetName
    certificate_ttl: Duration = timedelta(days=3)
    enrol_deadline: Duration = timedelta(minutes=15)
    lane: ShortName = "default_pool"  # the Airflow pool of all steps that ask the CA


class Package(Part):
    """The one package that holds all of a release."""

    name: PackageName


class Monitoring(Part):
    """How monitoring knows the VMs."""

    template: ShortName
    vars: dict[str, str | int | float | bool] = Field(default_factory=dict)
    deadline: Duration = timedelta(minutes=5)


class Balancer(Part):
    """Where the VMs take traffic."""

    pool: ShortName
    port: Port
    join_deadline: Duration = timedelta(minutes=2)


class Firewall(Part):
    """What a central firewall has to know of the VMs; a VM's own firewall is Puppet's affair."""

    group: ShortName  # of addresses, by name; the firewall's own rules say what may reach them


class Drain(Part):
    """How old sessions end."""

    deadline: Duration = timedelta(minutes=10)
    idle: Duration = timedelta(minutes=1)  # a session counts as live when it was used within this
    on_deadline: Literal["cut", "stop"] = "cut"  # end the sessions and go on, or roll back


class Canary(Part):
    """The first VM, watched before the others follow."""

    count: Annotated[int, Field(ge=0, le=1)] = 1
    watch: Duration = timedelta(minutes=1)


class Watch(Part):
    """How long new VMs have to stay healthy under traffic, and what healthy means."""

    settle: Duration = timedelta(seconds=10)  # all new members up this long before old ones drain
    duration: Duration = timedelta(minutes=5)  # after the switch, while the old ones still run
    max_error_share: Annotated[float, Field(ge=0, lt=1)] = 0.001
    min_requests: Annotated[int, Field(ge=1)] = 100  # below this a share says nothing


class Limits(Part):
    """What one plan may destroy without force."""

    retire: Annotated[int, Field(ge=1)] = 50  # VMs in all, replaced ones included
    shrink_share: Annotated[float, Field(ge=0, le=1)] = 0.5  # VMs that go with no successor
    share_from: Annotated[int, Field(ge=1)] = 4  # a share of fewer VMs than this says nothing


class Connections(Part):
    """The Airflow Connections that a rollout uses."""

    opennebula: ShortName = "snowmelt_opennebula"
    puppet_ca: ShortName = "snowmelt_puppet_ca"
    puppetdb: ShortName = "snowmelt_puppetdb"
    nameserver: ShortName = "snowmelt_nameserver"
    balancer: ShortName = "snowmelt_balancer"
    monitoring: ShortName = "snowmelt_monitoring"
    firewall: ShortName = "snowmelt_firewall"


class Service(Part):
    """What users depend on: one file of the catalogue."""

    name: ServiceName
    owner: Sentence
    description: Sentence
    release: Release  # wanted when a run names none and nothing runs
    replicas: Annotated[int, Field(ge=0, le=1000)]
    opennebula: OpenNebula
    dns: Dns
    puppet: Puppet
    package: Package
    monitoring: Monitoring | None = None
    balancer: Balancer | None = None
    firewall: Firewall | None = None  # none: nothing stands between the VMs and who uses them
    drain: Drain = Drain()
    strategy: Literal["blue_green", "rolling"] = "blue_green"
    surge: Annotated[int, Field(ge=0)] | None = None  # none: all (blue_green), none (rolling)
    max_unavailable: Annotated[int, Field(ge=0)] = 0
    canary: Canary = Canary()
    watch: Watch = Watch()
    max_age: Duration = timedelta(hours=24)
    expires_at: AwareDatetime | None = None  # then it retires: a VM that somebody asked for
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
