"""Say why a day's proof is not a good one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from include.planner import parse_name
from include.proof.document import ExceptionProof, ServiceProof, VmProof


def objections(
    services: Sequence[ServiceProof],
    vms: Sequence[VmProof],
    exceptions: Sequence[ExceptionProof],
    now: datetime,
    busy: Collection[str] = (),
    makers: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Return a sentence for all that is wrong; a service with an exception may be old.

    A VM of a *busy* service has no evidence yet: a rollout is at it. *makers* are runs that did not
    end well, by the part that they give to the names of their VMs: they left no evidence.
    """
    excepted = {e.service for e in exceptions}
    judged = [vm for vm in vms if vm.service not in excepted]
    bare = [vm for vm in judged if vm.run is None and vm.service not in busy]
    return (*_services(services), *_old(judged, now), *(_bare(vm, makers or {}) for vm in bare))


def _services(services: Sequence[ServiceProof]) -> Iterator[str]:
    for service in services:
        if service.state not in ("rotated", "left out"):
            why = f": {service.reason}" if service.reason else ""
            yield f"{service.name}: {service.state}{why}"


def _old(vms: Sequence[VmProof], now: datetime) -> Iterator[str]:
    for vm in vms:
        age_s = (now - vm.rebuilt).total_seconds()
        if age_s > vm.max_age_s:
            yield f"{vm.name} is {_hours(age_s)} old, allowed are {_hours(vm.max_age_s)}"


def _bare(vm: VmProof, makers: Mapping[str, str]) -> str:
    name = parse_name(vm.name)
    made_by = makers.get(name.rollout) if name else None
    if made_by:
        return f"{vm.name} has no evidence: {made_by} made it and did not get to `verify`"
    return f"{vm.name} has no evidence: no rollout of ours got to `verify` with it"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h"
