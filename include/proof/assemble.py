"""Put the proof of a day together from what was seen: a pure function of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from include.catalogue.fleet import Fleet
from include.catalogue.model import Service
from include.fleet import Left, RotationPlan
from include.front_doors import rollout_dag
from include.planner import SeenVm, rollout_id
from include.proof.document import (
    ExceptionProof,
    Gate,
    GateCount,
    Proof,
    Run,
    VmProof,
)
from include.proof.findings import Findings, Try
from include.proof.judge import nothing_shown, objections
from include.proof.link import Link
from include.proof.outcomes import outcomes, unseen

_ON_PURPOSE = ("exception", "blackout")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamp:
    """Who writes a proof, when, and after which."""

    run: Run
    now: datetime
    link: Link = field(default_factory=Link)
    notes: tuple[str, ...] = ()  # what else is wrong
    earlier: Sequence[ExceptionProof] = ()  # in the day's proof that this one replaces


def assemble(
    fleet: Fleet,
    services: Mapping[str, Service],
    plan: RotationPlan,
    found: Findings,
    stamp: Stamp,
) -> Proof:
    """Return the proof of a day."""
    rotations = tuple(outcomes(plan, found))
    vms = tuple(_vms(fleet, services, found))
    exceptions = tuple(_exceptions(plan, found, stamp.earlier))
    return Proof(
        day=plan.day,
        written=stamp.now,
        run=stamp.run,
        previous=stamp.link.previous,
        services=rotations,
        vms=vms,
        exceptions=exceptions,
        gate=_gate(found, stamp.link.gate),
        objections=(
            *objections(rotations, vms, exceptions, stamp.now, found.busy, _makers(found)),
            *unseen(rotations, exceptions, found),
            *nothing_shown(services, found.vms, exceptions, stamp.now),
            *stamp.link.notes,
            *stamp.notes,
        ),
    )


def _makers(found: Findings) -> dict[str, str]:
    """Return the runs that made VMs and did not end well."""
    return {
        rollout_id(rollout_dag(service), each.run_id): each.run_id
        for service, tries in found.tries.items()
        for each in tries
        if each.state != "success"
    }


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


def _exceptions(
    plan: RotationPlan, found: Findings, earlier: Iterable[ExceptionProof]
) -> Iterator[ExceptionProof]:
    """Yield the exceptions of this run, and those that held before it and are over by now.

    They go on for the day, unless the service has had its turn since.
    """
    mine = [_exception(left) for left in plan.left if left.kind in _ON_PURPOSE]
    yield from mine
    without_turn = {turn.service for turn in plan.others} | {left.service for left in plan.left}
    told = {each.service for each in mine} | {name for name, tries in found.tries.items() if tries}
    yield from (each for each in earlier if each.service in without_turn - told)


def _exception(left: Left) -> ExceptionProof:
    return ExceptionProof(
        service=left.service,
        kind=left.kind,
        reason=left.reason,
        owner=left.owner,
        expires=left.until,
    )


def _gate(found: Findings, before: GateCount) -> Gate:
    """A rotation keeps the release: where its watch said no, the gate was wrong, or the cloud."""
    no = [name for name, tries in found.tries.items() for each in tries if _said_no(each)]
    passed = sum(each.state == "success" for tries in found.tries.values() for each in tries)
    today = GateCount(asked=passed + len(no), said_no=len(no))
    return Gate(today=today, in_all=before.plus(today), services=tuple(sorted(set(no))))


def _said_no(each: Try) -> bool:
    return each.failed is not None and each.failed.by_gate
