"""What a front door asks of a service's rollout, and what that rollout came to.

A front door is a form for one verb. It decides nothing about VMs: that is the rollout's plan.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.facts import DagRun
from include.planner.names import parse_name, short_name
from include.verdict import Verdict, done, failed, pending

Asked = Mapping[str, Any]

# of a rollout; after both of the last ones nothing of it comes any more
_FIRST, _LAST = "plan", ("verify", "roll_back")
MILESTONES = (_FIRST, *_LAST)

# states of a task instance in which nothing more happens by itself
_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
_UNDER_WAY = frozenset({"running", "deferred", "up_for_retry", "queued"})


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontDoor:
    """One verb: the fields of its form beside those that all have, and what it asks for."""

    dag_id: str
    does: str  # one sentence, for the list of DAGs
    fields: tuple[str, ...]
    asks: Callable[[Asked], dict[str, Any]]
    to_last_good: bool = False  # the release is looked up, not asked
    of_one_vm: bool = False  # so is its slot: the VM has to be there


def _deploy(asked: Asked) -> dict[str, Any]:
    return {"release": asked["release"], "replace": asked["replace"]}


def _scale(asked: Asked) -> dict[str, Any]:
    return {"replicas": asked["replicas"], "replace": "none"}


def _nothing_more(asked: Asked) -> dict[str, Any]:
    return {}


def _retire(asked: Asked) -> dict[str, Any]:
    if asked["confirm"] != asked["service"]:
        raise ValueError(
            f"to retire {asked['service']}, write its name into `confirm` too;"
            f" there is {asked['confirm']!r}"
        )
    return {"replicas": 0, "force": True}  # what limits would ask for, the name has said


_DOORS = (
    FrontDoor(
        dag_id="deploy_release",
        does="Bring a service to a release, with no effect outside.",
        fields=("release", "replace"),
        asks=_deploy,
    ),
    FrontDoor(
        dag_id="scale_service",
        does="Give a service more or fewer VMs; those that stay are left alone.",
        fields=("replicas",),
        asks=_scale,
    ),
    FrontDoor(
        dag_id="roll_back_release",
        does="Bring a service back to the last release that was good before the one it has.",
        fields=(),
        asks=_nothing_more,
        to_last_good=True,
    ),
    FrontDoor(
        dag_id="retire_service",
        does="Take all VMs of a service out for good, with every trace of them.",
        fields=("confirm",),
        asks=_retire,
    ),
    FrontDoor(
        dag_id="replace_vm",
        does="Replace one VM of a service by a new one at the same release.",
        fields=("vm",),
        asks=_nothing_more,
        of_one_vm=True,
    ),
)
FRONT_DOORS = {door.dag_id: door for door in _DOORS}


def rollout_conf(door: FrontDoor, asked: Asked) -> dict[str, Any]:
    """Return the parameters of the rollout that *asked* means; ValueError says what is wrong."""
    common = {key: asked[key] for key in ("dry_run", "reason", "force")}
    return {**common, **door.asks(asked)}


def rollout_dag(service: str) -> str:
    """Return the id of the DAG that holds the lock of a service."""
    return f"rollout_{service}"


def child_run(dag_id: str, run_id: str) -> str:
    """Return the id of the run that a front door starts: the same at every attempt.

    So a retry after a kill finds the run that exists instead of starting a second one.
    """
    return f"{dag_id}__{run_id}"


def slot_of(service: str, vm: str, there: Collection[str]) -> int:
    """Return the slot that *vm* means: "2", or the name of the VM that fills it.

    *there* are the names of the service's VMs. A name of last night means nobody's slot: the VM
    that fills it now is another, and well.
    """
    slots = {name: parsed.slot for name in there if (parsed := parse_name(name))}
    short = short_name(vm)
    if short in slots:
        return slots[short]
    if vm.isascii() and vm.isdigit() and int(vm) in slots.values():
        return int(vm)
    told = ", ".join(sorted(slots)) or "no VM"
    raise ValueError(f"{service} has no VM {vm}: there is {told}")


def planned_verdict(run: DagRun) -> Verdict:
    """Has the rollout its plan, or come to an end without one?"""
    if run.state in ("success", "failed") or run.tasks.get("plan") in _ENDED:
        return done("the plan is made")
    return end_verdict(run)


def end_verdict(run: DagRun) -> Verdict:
    """Has the rollout ended, and how?"""
    if run.state == "success":
        return done("the rollout has succeeded")
    if run.state == "failed":
        return failed("the rollout has failed")
    if run.state is None:
        return failed("the run of the rollout has been deleted")
    if run.state == "queued":
        holder = _holder(run.others)
        return pending("the rollout waits for its turn" + (holder and f": {holder} runs"))
    return pending(_progress(run.tasks))


def _holder(runs: Mapping[str, Mapping[str, str | None]]) -> str:
    """Return the run that holds the service, "" where none seems to."""
    for run_id, tasks in sorted(runs.items()):
        ended = all(tasks.get(task, "removed") in _ENDED for task in _LAST)
        if tasks.get(_FIRST) and not ended:
            return run_id
    return ""


def _progress(tasks: Mapping[str, str | None]) -> str:
    ended = sum(state in _ENDED for state in tasks.values())
    now = sorted(task for task, state in tasks.items() if state in _UNDER_WAY)
    return f"{ended} of {len(tasks)} tasks have ended; now {', '.join(now) or 'none'}"


def why_failed(failures: Sequence[tuple[str, str]]) -> str:
    """Return the reason of a failed rollout in one line: (task, reason) of what failed in it."""
    told = [f"{task}: {reason or 'see its log'}" for task, reason in failures]
    return "; ".join(told) or "no task failed: somebody marked the run"
