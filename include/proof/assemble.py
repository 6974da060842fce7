"""Put the proof of a day together from what was seen: a pure function of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from include.catalogue.fleet import Fleet
from include.catalogue.model import Service
from include.fleet import Left, RotationPlan, Turn
from include.planner import SeenVm
from include.proof.document import (
    ExceptionProof,
    Gate,
    GateCount,
    Previous,
    Proof,
    Run,
    ServiceProof,
    VmProof,
)
from include.proof.judge import objections

_ON_PURPOSE = ("exception", "blackout")
_STATES = {"success": "rotated", "failed": "failed", "": "not started"}


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedRollout:
    """Where and why a rotation failed."""

    why: str
    tasks: tuple[str, ...]

    @property
    def by_gate(self) -> bool:
        """Whether a watch said no."""
        return any(task.rpartition(".")[2].startswith("watch") for task in self.tasks)


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """All that was seen at the end of a day's rotation."""

    states: Mapping[str, str]  # of the runs, by service
    failed: Mapping[str, FailedRollout] = field(default_factory=dict)
    held: Mapping[str, str] = field(default_factory=dict)  # why a service was not started
    broken: Mapping[str, str] = field(default_factory=dict)  # services whose file is wrong
    vms: Mapping[str, Sequence[SeenVm]] = field(default_factory=dict)  # by service
    evidence: Mapping[str, VmProof] = field(default_factory=dict)  # by VM
    busy: Collection[str] = ()  # services with a rollout under way


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamp:
    """Who writes a proof, when, and after which."""

    run: Run
    now: datetime
    previous: Previous | None = None
    gate_before: GateCount = field(default_factory=GateCount)


def assemble(
    fleet: Fleet,
    services: Mapping[str, Service],
    plan: RotationPlan,
    found: Findings,
    stamp: Stamp,
) -> Proof:
    """Return the proof of a day."""
    rotations = tuple(_services(plan, found))
    vms = tuple(_vms(fleet, services, found))
    exceptions = tuple(_exception(left) for left in plan.left if left.kind in _ON_PURPOSE)
    return Proof(
        day=plan.day,
        written=stamp.now,
        run=stamp.run,
        previous=stamp.previous,
        services=rotations,
        vms=vms,
        exceptions=exceptions,
        gate=_gate(rotations, found, stamp.gate_before),
        objections=objections(rotations, vms, exceptions, stamp.now, found.busy),
    )


def _services(plan: RotationPlan, found: Findings) -> Iterator[ServiceProof]:
    rotations = [_rotation(turn, found) for turn in plan.turns]
    left = [ServiceProof(name=e.service, state="left out", reason=e.reason) for e in plan.left]
    broken = [
        ServiceProof(name=name, state="failed", reason=why) for name, why in found.broken.items()
    ]
    yield from sorted([*rotations, *left, *broken], key=lambda service: service.name)


def _rotation(turn: Turn, found: Findings) -> ServiceProof:
    state = found.states.get(turn.service, "")
    failed = found.failed.get(turn.service)
    why = failed.why if failed else found.held.get(turn.service, "")
    return ServiceProof(
        name=turn.service,
        state=_STATES.get(state, "still running"),
        reason="" if state == "success" else why,
        run=Run(dag_id=turn.dag_id, run_id=turn.run_id) if state else None,
    )


def _vms(fleet: Fleet, services: Mapping[str, Service], found: Findings) -> Iterator[VmProof]:
    for name in sorted(found.vms):
        max_age_s = int(fleet.max_age_of(services[name]).total_seconds())
        for vm in sorted(found.vms[name], key=lambda vm: (vm.slot, vm.vm_id)):
            known = found.evidence.get(vm.name)
            if known and known.vm_id == vm.vm_id:
                yield known.model_copy(update={"max_age_s": max_age_s, "rebuilt": vm.created_at})
            else:
                yield _unproved(name, vm, max_age_s)


def _unproved(service: str, vm: SeenVm, max_age_s: int) -> VmProof:
    return VmProof(
        name=vm.name,
        service=service,
        release=vm.release,
        vm_id=vm.vm_id,
        rebuilt=vm.created_at,
        max_age_s=max_age_s,
    )


def _exception(left: Left) -> ExceptionProof:
    return ExceptionProof(
        service=left.service,
        kind=left.kind,
        reason=left.reason,
        owner=left.owner,
        expires=left.until,
    )


def _gate(rotations: Sequence[ServiceProof], found: Findings, before: GateCount) -> Gate:
    """A rotation keeps the release: where its watch said no, the gate was wrong, or the cloud."""
    no = tuple(sorted(name for name, failed in found.failed.items() if failed.by_gate))
    passed = sum(service.state == "rotated" for service in rotations)
    today = GateCount(asked=passed + len(no), said_no=len(no))
    return Gate(today=today, in_all=before.plus(today), services=no)
