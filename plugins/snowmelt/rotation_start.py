"""Start the rotation of one service in its turn, if it may be touched then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from include.catalogue import Service
from include.facts import CloudVm
from include.fleet import Left, RotationPlan, Turn, left_out
from include.fleet.calendar import open_spans
from include.fleet.standing import LEFT, PUT_OFF, UNABLE, Standing
from include.planner import parse_name
from include.verdict import Outcome
from snowmelt.catalogue import settled_fleet, settled_service, users_of
from snowmelt.errors import Refused, SnowmeltError
from snowmelt.hooks.fleet_runs import FleetRunsHook
from snowmelt.hooks.opennebula import OpenNebulaHook

log = logging.getLogger(__name__)

# A service that is put off comes again after 10 s, 20 s and so on up to five minutes, for two hours
# in all: at night it may be the only one whose time has come, and a restart takes OpenNebula long.
PATIENCE = 30
_FIRST_S, _LONGEST_S = 10.0, 300.0

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
    times = before.times if before else 0
    try:
        left, later = _left(plan, turn, now, read)
        if left and later:
            log.info("%s waits: %s", turn.service, left.reason)
            return Standing(state=PUT_OFF, why=left.reason, times=times, not_before=later)
        if left:
            log.info("%s is left out: %s", turn.service, left.reason)
            return Standing(state=LEFT, left=left)
        _ensure_run(plan, turn, note)
    except Refused as error:
        return _unable(turn, error)
    except SnowmeltError as error:
        return _put_off(turn, times, error, now)
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


def _left(
    plan: RotationPlan, turn: Turn, now: float, read: Read
) -> tuple[Left | None, float | None]:
    """Return why a service is not to be touched, and when it may be after all, in epoch seconds.

    `Refused` while no window is open.
    """
    moment = datetime.fromtimestamp(now, UTC)
    service = settled_service(turn.service)
    in_use = len(_slots(read(turn.cloud)).get(turn.service, ()))
    left = left_out(settled_fleet(), service, moment, in_use)
    if left and left.kind == "closed":
        raise Refused("its windows were changed: none is open now")
    if left and left.kind == "blackout":
        return left, _reopens(plan, turn, service, moment)
    return left, None


def _reopens(plan: RotationPlan, turn: Turn, service: Service, now: datetime) -> float | None:
    """Return when a blackout is over that somebody made since the plan, while its turn lasts."""
    ends = datetime.fromtimestamp(plan.ends, UTC)
    spans = open_spans(service.name, service.maintenance, now, ends, timedelta(0))
    return next((a for a, _ in spans if any(b <= a < c for b, c in turn.open)), None)


def _ensure_run(plan: RotationPlan, turn: Turn, note: str) -> None:
    conf = {"reason": f"rotation of {plan.day}"}
    outcome = FleetRunsHook().ensure_run(turn.dag_id, turn.run_id, conf, note=note)
    if outcome is Outcome.CREATED:
        log.info("start %s: %s VMs (%s)", turn.service, turn.slots, turn.run_id)


def _unable(turn: Turn, error: SnowmeltError) -> Standing:
    log.warning("%s cannot be started: %s", turn.service, error)
    return Standing(state=UNABLE, why=str(error))


def _put_off(turn: Turn, times: int, error: SnowmeltError, now: float) -> Standing:
    if times >= PATIENCE:
        return _unable(turn, error)
    log.warning("%s is put off: %s", turn.service, error)
    again = now + min(_LONGEST_S, _FIRST_S * 2**times)
    return Standing(state=PUT_OFF, why=str(error), times=times + 1, not_before=again)
