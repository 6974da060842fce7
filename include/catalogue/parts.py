"""The parts of a service's file.

What stands below a field is its description in the schema (`python -m include.catalogue.schema`),
where the shape of its type follows (`types.py`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from include.catalogue.types import (
    DomainName,
    Duration,
    PackageName,
    Part,
    Port,
    PuppetName,
    Sentence,
    ShortName,
)


class Size(Part):
    """How big a VM is."""

    cpu: Annotated[float, Field(gt=0)]
    """Share of a physical core that the scheduler counts: 0.5 is half of one."""
    vcpu: Annotated[int, Field(ge=1)]
    """Cores that the VM sees."""
    memory_mb: Annotated[int, Field(ge=16)]
    """Memory of the VM, in MB."""


class OpenNebula(Size):
    """What the VMs are made of."""

    template: Sentence
    """VM template, by name: ids differ from cloud to cloud."""
    networks: tuple[Sentence, ...] = ()
    """Networks, by name; DNS gets the address in the first. Left out: those of the template."""
    boot_deadline: Duration = timedelta(minutes=10)
    """How long OpenNebula may take to place and boot a VM."""


class Dns(Part):
    """Where the names of the VMs live."""

    zone: DomainName
    """Zone of the VMs' names, one of those that the Connection lists; so is the reverse one."""
    ttl: Duration = timedelta(seconds=60)
    """How long resolvers may keep the address of a VM."""

    @model_validator(mode="before")
    @classmethod
    def _as_before(cls, data: Any) -> Any:
        """Files and runs of before may name a reverse zone, which nothing has ever read."""
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if key != "reverse_zone"}
        return data


class Puppet(Part):
    """Who configures the inside of the VMs."""

    server: DomainName
    """Puppet Server that the VMs ask."""
    environment: PuppetName = "production"
    """Puppet environment of the VMs."""
    role: PuppetName
    """What the VMs are; stands in their certificates as `pp_role`."""
    certificate_ttl: Duration = timedelta(days=3)
    """How long a certificate lasts: longer than max_age, or a VM would outlive it."""
    enrol_deadline: Duration = timedelta(minutes=15)
    """How long a VM may take to ask for its certificate, and once more to its first good report."""
    lane: ShortName = "default_pool"
    """Airflow pool of all steps that ask the CA; they never start where it does not exist."""


class Package(Part):
    """The one package that holds all of a release."""

    name: PackageName
    """Package whose version is the release."""


class Monitoring(Part):
    """How monitoring knows the VMs."""

    template: ShortName
    """Host template, which is there already; its checks follow from the variables."""
    vars: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Variables of each host: text, numbers, true or false."""
    deadline: Duration = timedelta(minutes=5)
    """How long a VM may take until monitoring calls it healthy."""


class Balancer(Part):
    """Where the VMs take traffic."""

    pool: ShortName
    """What requests are spread over: a backend, an upstream; the balancer has it already."""
    port: Port
    """Port on which the VMs answer."""
    join_deadline: Duration = timedelta(minutes=2)
    """How long a new member may take until its check is good."""


class Firewall(Part):
    """What a central firewall has to know of the VMs; a VM's own firewall is Puppet's affair."""

    group: ShortName
    """Group of addresses, by name; the firewall's own rules say what may reach them."""


class Drain(Part):
    """How old sessions end."""

    deadline: Duration = timedelta(minutes=10)
    """How long old sessions may take to end."""
    idle: Duration = timedelta(minutes=1)
    """A session counts as live when it was used within this."""
    on_deadline: Literal["cut", "stop"] = "cut"
    """End the sessions and go on (cut), or roll back (stop)."""


class Canary(Part):
    """The first VM, watched before the others follow."""

    count: Annotated[int, Field(ge=0, le=1)] = 1
    """1: the first VM is watched before the others follow. 0: all join at once."""
    watch: Duration = timedelta(minutes=1)
    """How long the first VM has to stay healthy under traffic."""


class Watch(Part):
    """How long new VMs have to stay healthy under traffic, and what healthy means."""

    settle: Duration = timedelta(seconds=10)
    """How long all new members have to be up before old ones drain."""
    duration: Duration = timedelta(minutes=5)
    """How long the watch is after the switch, while the old ones still run."""
    max_error_share: Annotated[float, Field(ge=0, lt=1)] = 0.001
    """Share of requests that may end with errors, from 0 to below 1: 0.001 is one of 1,000."""
    min_requests: Annotated[int, Field(ge=1)] = 100
    """Number of requests below which a share of errors says nothing."""


class Limits(Part):
    """What one plan may destroy without force."""

    retire: Annotated[int, Field(ge=1)] = 50
    """Number of VMs that may go, replaced ones included: more replicas than this need more."""
    shrink_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the serving VMs that may go with no successor, from 0 to 1."""
    share_from: Annotated[int, Field(ge=1)] = 4
    """Number of serving VMs from which that share counts: of fewer it says nothing."""


class Connections(Part):
    """The Airflow Connections that a rollout uses."""

    opennebula: ShortName = "snowmelt_opennebula"
    """Id of the Connection to OpenNebula."""
    puppet_ca: ShortName = "snowmelt_puppet_ca"
    """Id of the Connection to the Puppet CA."""
    puppetdb: ShortName = "snowmelt_puppetdb"
    """Id of the Connection to PuppetDB."""
    nameserver: ShortName = "snowmelt_nameserver"
    """Id of the Connection to the name server."""
    balancer: ShortName = "snowmelt_balancer"
    """Id of the Connection to the balancer."""
    monitoring: ShortName = "snowmelt_monitoring"
    """Id of the Connection to monitoring."""
    firewall: ShortName = "snowmelt_firewall"
    """Id of the Connection to the firewall."""
