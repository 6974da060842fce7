"""Start the rotation of one service in its turn, if it may be touched then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache

from include.catalogue import CatalogueError, Service, load_service
from include.facts import CloudVm
from include.fleet import Left, RotationPlan, Turn, left_out
from include.fleet.standing import LEFT, PUT_OFF, UNABLE, Standing
from include.planner import parse_name
from include.verdict import Outcome
from snowmelt.catalogue import settled_fleet, users_of
from snowmelt.errors import Refused, SnowmeltError
from snowmelt.hooks.fleet_runs import FleetRunsHook
from snowmelt.hooks.opennebula import OpenNebulaHook

log = logging.getLogger(__name__)

# Looks are 5 s apart at least: one that is put off holds the day up for some minutes at its end.
PATIENCE = 60

# from a Connection to the VMs of its OpenNebula
Read = Callable[[str], Sequence[CloudVm]]


def reader() -> Read:
    """Return what reads each OpenNebula once: the looks of one decision share 2 MB of 1,000 VMs."""
    return cache(lambda cloud: OpenNebulaHook(cloud).vm_states())


def start(
    plan: RotationPlan, turn: Turn, before: Standing | None, note: str, now: float, read: Read
) -> Standing:
    """Start a service's run of the day; return how the service stands then.

    The plan is hours old by now, so its file and its VMs are looked at once more. What may pass is
    tried again after the others; *before* is how the service stood, *now* epoch seconds.
    """
    try:
        left = _left(turn, datetime.fromtimestamp(now, UTC), read)
        if left:
            log.info("%s is left out: %s", turn.service, left.reason)
            return Standing(state=LEFT, left=left)
        _ensure_run(plan, turn, note)
    except Refused as error:
        return _unable(turn, error)
    except SnowmeltError as error:
        return _put_off(turn, before.times if before else 0, error)
    return Standing(state="queued")


def slots_in_use(services: Collection[Service]) -> dict[str, int]:
    """Return how many slots of each service have a VM: one look for each OpenNebula.

    Of a service whose OpenNebula does not answer, as many as it is to have: whether there are any
    is looked at when its turn comes, and all others have theirs.
    """
    found: dict[str, int] = {}
    for cloud, users in users_of("opennebula", services).items():
        try:
            slots = _slots(OpenNebulaHook(cloud).vm_states())
        except SnowmeltError as error:
            log.warning("%s: %s", cloud, error)
            found |= {service.name: service.replicas for service in users}
        else:
            found |= {service.name: len(slots.get(service.name, ())) for service in users}
    return found


def _slots(vms: Iterable[CloudVm]) -> dict[str, set[int]]:
    slots: dict[str, set[int]] = {}
    for vm in vms:
        name = parse_name(vm.name)
        if name and vm.phase != "done":
            slots.setdefault(name.service, set()).add(name.slot)
    return slots


def _left(turn: Turn, now: datetime, read: Read) -> Left | None:
    """Return why a service is not to be touched any more; `Refused` while no window is open."""
    try:
        service = load_service(turn.service)
    except CatalogueError as error:
        raise Refused(str(error)) from error
    in_use = len(_slots(read(turn.cloud)).get(turn.service, ()))
    left = left_out(settled_fleet(), service, now, in_use)
    if left and left.kind == "closed":
        raise Refused("its windows were changed: none is open now")
    return left


def _ensure_run(plan: RotationPlan, turn: Turn, note: str) -> None:
    conf = {"reason": f"rotation of {plan.day}"}
    outcome = FleetRunsHook().ensure_run(turn.dag_id, turn.run_id, conf, note=note)
    if outcome is Outcome.CREATED:
        log.info("start %s: %s VMs (%s)", turn.service, turn.slots, turn.run_id)


def _unable(turn: Turn, error: SnowmeltError) -> Standing:
    log.warning("%s cannot be started: %s", turn.service, error)
    return Standing(state=UNABLE, why=str(error))


def _put_off(turn: Turn, times: int, error: SnowmeltError) -> Standing:
    if times >= PATIENCE:
        return _unable(turn, error)
    log.warning("%s is put off: %s", turn.service, error)
    return Standing(state=PUT_OFF, why=str(error), times=times + 1)
