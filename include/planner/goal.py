"""Settle what a run left open: the release and the number of replicas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from include.catalogue.model import Service
from include.planner.condition import carries, serves
from include.planner.errors import Expired, MixedReleases
from include.planner.model import Replace, Seen, SeenVm, Wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """What one rollout is to reach, with nothing left open."""

    service: Service
    rollout: str
    release: str
    replicas: int
    replace: Replace
    slots: tuple[int, ...]
    now: datetime
    notes: tuple[str, ...]


def set_goal(service: Service, wanted: Wanted, seen: Seen, rollout: str, now: datetime) -> Goal:
    """Return the goal of a run, with a note for each thing that the run did not say itself."""
    wanted, about_end = _unless_expired(service, wanted, now)
    release, about_release = _release(service, wanted, seen)
    replicas, about_replicas = _replicas(service, wanted, seen)
    return Goal(
        service=service,
        rollout=rollout,
        release=release,
        replicas=replicas,
        replace=wanted.replace,
        slots=tuple(wanted.slots),
        now=now,
        notes=tuple(
            note
            for note in (about_end, about_release, about_replicas, _about_slots(wanted))
            if note
        ),
    )


def _unless_expired(service: Service, wanted: Wanted, now: datetime) -> tuple[Wanted, str]:
    """What has expired only goes: a rotation must not bring back what its end took away."""
    end = service.expires_at
    if end is None or now < end:
        return wanted, ""
    if wanted.replicas:
        raise Expired(f"{service.name} has expired on {end:%Y-%m-%d %H:%M %Z}: extend it first")
    return replace(wanted, replicas=0), f"0 replicas: expired on {end:%Y-%m-%d %H:%M %Z}"


def _release(service: Service, wanted: Wanted, seen: Seen) -> tuple[str, str]:
    if wanted.release:
        return wanted.release, ""
    if wanted.replicas == 0:
        return service.release, ""
    found = sorted({vm.release for vm in _taking_traffic(service, seen)})
    if not found:
        return service.release, f"release {service.release}: from the catalogue"
    if len(found) > 1:
        raise MixedReleases(
            f"the VMs of {service.name} run releases {', '.join(found)}:"
            " name the one that is wanted (release=...)"
        )
    return found[0], f"release {found[0]}: the one that runs"


def _taking_traffic(service: Service, seen: Seen) -> list[SeenVm]:
    serving = [vm for vm in seen.vms if serves(service, vm)]
    return serving or _in_use(service, seen)


def _in_use(service: Service, seen: Seen) -> list[SeenVm]:
    """Return the VMs that somebody may depend on.

    Where the balancer has lost them all, those that could serve: else a rotation in that moment
    would go back to the release and the number of the catalogue.
    """
    carrying = [vm for vm in seen.vms if carries(service, vm)]
    return carrying or [vm for vm in seen.vms if vm.phase == "running" and vm.enrolled]


def _replicas(service: Service, wanted: Wanted, seen: Seen) -> tuple[int, str]:
    """Only a run that names a number makes a service smaller.

    Else the rotation at night would undo what somebody scaled up for a busy week.
    """
    if wanted.replicas is not None:
        return wanted.replicas, ""
    in_use = len({vm.slot for vm in _in_use(service, seen)})
    if in_use > service.replicas:
        catalogue = f"the catalogue says {service.replicas}"
        return in_use, f"{in_use} replicas: in use ({catalogue}; name a number to have fewer)"
    return service.replicas, f"{service.replicas} replicas: from the catalogue"


def _about_slots(wanted: Wanted) -> str:
    if not wanted.slots:
        return ""
    return f"only slot {', '.join(map(str, wanted.slots))}, and what is broken, is replaced"
