"""Say why a day's proof is not a good one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from include.catalogue.model import Service
from include.planner import SeenVm, parse_name
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


def blind(
    services: Mapping[str, Service], vms: Mapping[str, Collection[SeenVm]]
) -> dict[str, list[str]]:
    """Return each OpenNebula that was looked at and showed no VM of its services, with these.

    An account that lost its rights is answered with an empty list.
    """
    clouds = {name: services[name].connections.opennebula for name in sorted(vms)}
    showing = {clouds[name] for name, seen in vms.items() if seen}
    dark = sorted(set(clouds.values()) - showing)
    return {cloud: [name for name, its in clouds.items() if its == cloud] for cloud in dark}


def nothing_shown(
    services: Mapping[str, Service],
    vms: Mapping[str, Collection[SeenVm]],
    exceptions: Sequence[ExceptionProof],
    now: datetime,
) -> Iterator[str]:
    """Yield each OpenNebula that shows no VM at all, and should.

    One service without a VM may be retired, and nobody tells that from one whose VMs were lost.
    """
    excepted = {each.service for each in exceptions}
    for cloud, names in blind(services, vms).items():
        missed = [n for n in names if n not in excepted and _wants_vms(services[n], now)]
        if missed:
            yield (
                f"{cloud} shows no VM at all, also none of {', '.join(missed)}: may its account see"
                " them? A service that is retired has to say `replicas: 0` in its file"
            )


def _wants_vms(service: Service, now: datetime) -> bool:
    return service.replicas > 0 and not (service.expires_at and service.expires_at <= now)


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
