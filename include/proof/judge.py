"""Say why a day's proof is not a good one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from include.proof.document import ExceptionProof, ServiceProof, VmProof


def objections(
    services: Sequence[ServiceProof],
    vms: Sequence[VmProof],
    exceptions: Sequence[ExceptionProof],
    now: datetime,
    busy: Collection[str] = (),
) -> tuple[str, ...]:
    """Return a sentence for all that is wrong; a service with an exception may be old.

    A VM of a *busy* service has no evidence yet: a rollout is at it.
    """
    excepted = {e.service for e in exceptions}
    return (*_services(services), *_vms(vms, excepted, now, busy))


def _services(services: Sequence[ServiceProof]) -> Iterator[str]:
    for service in services:
        if service.state not in ("rotated", "left out"):
            why = f": {service.reason}" if service.reason else ""
            yield f"{service.name}: {service.state}{why}"


def _vms(
    vms: Sequence[VmProof], excepted: Collection[str], now: datetime, busy: Collection[str]
) -> Iterator[str]:
    for vm in vms:
        age_s = (now - vm.rebuilt).total_seconds()
        if vm.service in excepted:
            continue
        if age_s > vm.max_age_s:
            yield f"{vm.name} is {_hours(age_s)} old, allowed are {_hours(vm.max_age_s)}"
        if vm.run is None and vm.service not in busy:
            yield f"{vm.name} has no evidence: no rollout of ours tells how it was made"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h"
