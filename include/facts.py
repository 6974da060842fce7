"""What hooks see: frozen values, one per thing in the world, without any client behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

VmPhase = Literal[
    "held", "pending", "starting", "running", "stopping", "off", "failed", "unknown", "done"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """The VMs to look among: some by their ids, and all with a vm_id from *since* on.

    OpenNebula counts vm_ids up and gives none out twice, so who knows the VMs that were there, and
    the next id at that time, need not read a whole fleet to find what came since.
    """

    ids: frozenset[int] = frozenset()
    since: int = 0  # 0: every VM


EVERY_VM = Scope()


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudVm:
    """A VM as OpenNebula shows it (`one.vmpool.info`, `one.vmpool.infoextended`)."""

    vm_id: int
    name: str
    phase: VmPhase
    state: str  # what OpenNebula calls it, for messages: "ACTIVE/BOOT"
    created_at: datetime
    addresses: tuple[str, ...] = ()
    host: str = ""
    message: str = ""  # USER_TEMPLATE/SCHED_MESSAGE, or ERROR where the VM has failed
    attributes: Mapping[str, str] = field(default_factory=dict)  # USER_TEMPLATE; extended form only
    context: Mapping[str, str] = field(default_factory=dict, repr=False)  # TEMPLATE/CONTEXT, tokens
    owner: str = ""  # the OpenNebula user whose VM it is


@dataclass(frozen=True, kw_only=True, slots=True)
class VmSpec:
    """A VM to be made. `context` holds the enrolment token, so no text of a spec shows it."""

    name: str
    fqdn: str
    template: str  # name of the VM template in OpenNebula
    service: str
    rollout: str
    slot: int
    release: str
    cpu: float  # share of host CPUs that the scheduler sets aside
    vcpu: int
    memory_mb: int
    networks: tuple[str, ...] = ()  # by name; none: those of the template
    disks: tuple[Mapping[str, str], ...] = ()  # none: those of the template
    context: Mapping[str, str] = field(default_factory=dict, repr=False)
    ends_at: int | None = None  # epoch seconds at which OpenNebula itself terminates it
    scope: Scope = EVERY_VM  # where an earlier try could have made it


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificateRequest:
    """A certificate request that waits at the CA, taken apart (RFC 2986)."""

    certname: str  # the name under which the CA keeps it
    common_name: str
    alt_names: tuple[str, ...]
    token: str | None = field(repr=False)  # challengePassword, OID 1.2.840.113549.1.9.7
    extensions: tuple[str, ...]  # dotted OIDs of everything it asks to have in the certificate
    public_key: str  # sha256 of the subject public key info, hex


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """What the CA says of one certname (`GET certificate_status/N`)."""

    certname: str
    state: Literal["requested", "signed", "revoked"]
    fingerprint: str  # sha256 as the CA prints it
    not_after: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PuppetReport:
    """The latest report of one VM in PuppetDB (`/pdb/query/v4/reports`)."""

    certname: str
    status: Literal["changed", "unchanged", "failed"]
    noop: bool
    environment: str
    end_time: datetime
    report_hash: str
    transaction_uuid: str
    configuration_version: str = ""
    failures: tuple[str, ...] = ()  # "Package[shop-app]: ... failed: ..."


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """A name and its address, as the name server gives them out."""

    fqdn: str  # no trailing dot
    address: str
    ttl: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A VM as a load balancer sees it."""

    pool: str
    name: str
    address: str
    port: int
    state: Literal["up", "down", "starting", "drain", "maint"]
    since_s: float  # seconds in its present health, from 0 at each change of it
    connections: int  # open right now
    sessions: int  # sticky sessions used within the seconds that were asked for; 0: nobody asked
    requests: int  # answered since it joined, or since the balancer was started: a fall says so
    errors: int  # 5xx, failed connections, what had to be asked for again; may exceed `requests`


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An address in a group of a firewall: what the group's rules let in, it lets in to this."""

    group: str
    address: str
    name: str  # the VM's FQDN; anything else, or nothing, was written by hand


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """One monitored check of one VM."""

    name: str
    state: Literal["ok", "warning", "critical", "unknown", "pending"]
    output: str
    checked_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class HostHealth:
    """A VM as monitoring sees it: `host` is its own check, `checks` are those of its services."""

    name: str
    address: str
    host: CheckResult
    checks: tuple[CheckResult, ...]


# states of a run that has not ended
ACTIVE = ("queued", "running")


@dataclass(frozen=True, kw_only=True, slots=True)
class DagRun:
    """A run of a DAG, as Airflow shows it."""

    state: str | None  # queued, running, success or failed; None: there is no such run
    tasks: Mapping[str, str | None] = field(default_factory=dict)  # {"plan": …, "old.drain_0": …}
    # while it is queued, of the other runs of its DAG: the tasks by which each begins and ends
    others: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
