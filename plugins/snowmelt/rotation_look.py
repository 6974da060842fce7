"""Look at the rotation of a day, as far as the next decision needs it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from include.facts import ACTIVE, CloudVm
from include.fleet import Budget, Decision, Progress, RotationPlan, Turn, decide
from include.fleet.standing import Standing
from include.fleet.turns import run_id
from include.front_doors import rollout_dag
from include.planner import parse_name, rollout_id
from snowmelt.errors import SnowmeltError
from snowmelt.hooks.fleet_runs import FleetRunsHook
from snowmelt.rotation_start import Read

# by service; those whose turn has not come are left out
Standings = Mapping[str, Standing]
CHANGING = (*ACTIVE, "failed")  # somebody may clear a failed one, and mend it

log = logging.getLogger(__name__)


def tries(day: str, service: str) -> list[tuple[str, str]]:
    """Return run id and state of each attempt at a turn; only after a failed one there is another.

    Airflow tells nobody which runs a DAG has: they are found by their names.
    """
    runs, found = FleetRunsHook(), list[tuple[str, str]]()
    while not found or found[-1][1] == "failed":
        name = run_id(day, service, attempt=len(found) + 1)
        state = runs.state_if_any(rollout_dag(service), name)
        if not state:
            break
        found.append((name, state))
    return found


def at_last_try(plan: RotationPlan, *, again: bool) -> RotationPlan:
    """Return the plan with the last attempt at each turn; *again* asks for one more of failed."""
    turns = []
    for turn in plan.turns:
        known = tries(plan.day, turn.service)
        more = not known or (again and known[-1][1] == "failed")
        name = run_id(plan.day, turn.service, len(known) + 1) if more else known[-1][0]
        turns.append(replace(turn, run_id=name))
    return replace(plan, turns=tuple(turns))


def all_standings(plan: RotationPlan) -> Standings:
    """Return the states of all runs of the day: one question for each service."""
    runs = FleetRunsHook()
    found = {turn.service: runs.state_if_any(turn.dag_id, turn.run_id) for turn in plan.turns}
    return {service: Standing(state=state) for service, state in found.items() if state}


def look_and_decide(
    plan: RotationPlan, budget: Budget, before: Standings, now: float, read: Read
) -> tuple[Decision, Standings]:
    """Return what to do now, and how the services stand, by which it was decided.

    Of all that may start the first does, and the next at the next look, some seconds later:
    services that begin in the same second go through their steps together, and each step of each
    VM waits for those of twenty others.

    Only runs that had not ended well are asked for, and only that service for other runs that
    would start now: with 250 services that is a handful of questions instead of 500. And VMs are
    looked at only where something could start if all of them ran: mostly nothing could, and the
    pool of 1,000 VMs is 2 MB.
    """
    runs = FleetRunsHook()
    known = dict(before)
    for turn in _in(CHANGING, plan, known):
        known[turn.service] = Standing(state=runs.state(turn.dag_id, turn.run_id))
    active = _in(ACTIVE, plan, known)
    progress = _progress(known, {turn.service: turn.slots for turn in active})
    if decide(plan, progress, budget, now).start:
        progress = _progress(known, _running(active, read))
    asked: set[str] = set()
    while True:
        decision = decide(plan, progress, budget, now)
        first = next(iter(decision.start), None)
        if first is None or first.service in asked:
            decided = replace(decision, start=decision.start[:1])
            return decided, {service: each for service, each in known.items() if each.state}
        mine = progress.get(first.service, Progress())
        progress[first.service] = replace(mine, others=runs.under_way(first.dag_id))
        asked.add(first.service)


def _in(some: Collection[str], plan: RotationPlan, known: Standings) -> Sequence[Turn]:
    return [t for t in plan.turns if t.service in known and known[t.service].state in some]


def _progress(known: Standings, running: Mapping[str, int]) -> dict[str, Progress]:
    return {
        service: Progress(
            state=standing.state,
            running_vms=running.get(service, 0),
            not_before=standing.not_before,
        )
        for service, standing in known.items()
    }


def _running(turns: Sequence[Turn], read: Read) -> dict[str, int]:
    """Return how many of the new VMs of each rotation run: the others wait for OpenNebula.

    Those on an OpenNebula that does not answer all wait; it must not end the rotation of others.
    """
    rollouts = {(t.service, rollout_id(t.dag_id, t.run_id)) for t in turns}
    found: dict[str, int] = defaultdict(int)
    for cloud in sorted({turn.cloud for turn in turns}):
        for vm in _vms(cloud, read):
            name = parse_name(vm.name)
            if name and vm.phase == "running" and (name.service, name.rollout) in rollouts:
                found[name.service] += 1
    return found


def _vms(cloud: str, read: Read) -> Sequence[CloudVm]:
    try:
        return read(cloud)
    except SnowmeltError as error:
        log.warning("%s: %s", cloud, error)
        return ()
