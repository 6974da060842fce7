"""What the proof of a day says. The JSON schema of a file is made from this model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from include.catalogue.types import DAY, Part

Day = Annotated[str, Field(pattern=f"^{DAY}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Previous(Part):
    """The proof before this one."""

    day: Day
    hash: Sha256


class Run(Part):
    """A run in Airflow."""

    dag_id: str
    run_id: str


class PuppetProof(Part):
    """The VM's first good Puppet report."""

    status: Literal["changed", "unchanged", "failed"]
    report_hash: str
    transaction_uuid: str
    at: AwareDatetime


class MonitoringProof(Part):
    """What monitoring said of the VM at the end of its rollout, check by check."""

    well: bool
    checks: dict[str, str]


class BalancerProof(Part):
    """When the VM began to take traffic, and when the one before it left."""

    pool: str
    joined: AwareDatetime | None
    predecessor_left: AwareDatetime | None
    client_failures: int | None  # on both of them while the rollout ran; none: not counted


class VmProof(Part):
    """One VM of the fleet."""

    name: str
    service: str
    release: str
    vm_id: int
    rebuilt: AwareDatetime
    max_age_s: int
    run: Run | None = None  # the rollout that made it; none: no evidence was found
    predecessor: str | None = None
    predecessor_vm_id: int | None = None
    certificate: str | None = None  # fingerprint
    puppet: PuppetProof | None = None
    monitoring: MonitoringProof | None = None
    balancer: BalancerProof | None = None
    differences: tuple[str, ...] = ()  # to its predecessor, seen while that one still ran
    compared: bool = False


class ServiceProof(Part):
    """How the rotation of one service went."""

    name: str
    state: Literal["rotated", "failed", "not started", "still running", "left out"]
    reason: str = ""
    run: Run | None = None


class ExceptionProof(Part):
    """A service that was left out on purpose."""

    service: str
    kind: str
    reason: str
    owner: str
    expires: str


class GateCount(Part):
    """How often a health gate was asked about a rotation, and how often it said no."""

    asked: int = 0
    said_no: int = 0

    def plus(self, other: GateCount) -> GateCount:
        """Return both together."""
        return GateCount(asked=self.asked + other.asked, said_no=self.said_no + other.said_no)


class Gate(Part):
    """False positives: the gate said no, and old and new release were the same."""

    today: GateCount = GateCount()
    in_all: GateCount = GateCount()  # since the chain of proofs began
    services: tuple[str, ...] = ()  # where it said no today


class Proof(Part):
    """The proof of one day."""

    format: Literal[1] = 1
    day: Day
    written: AwareDatetime
    run: Run
    previous: Previous | None
    services: tuple[ServiceProof, ...]
    vms: tuple[VmProof, ...]
    exceptions: tuple[ExceptionProof, ...]
    gate: Gate
    objections: tuple[str, ...]  # why the day's rotation did not succeed; none: it did


class Seal(Part):
    """What makes a change show: a digest of each part, a hash over all, and its signature."""

    digests: dict[str, Sha256]
    hash: Sha256
    key: Sha256  # of the public key
    signature: str  # Ed25519 over the hash, base64


class File(Part):
    """One file of the chain."""

    proof: Proof
    seal: Seal
