"""What people are told of a run that has failed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.front_doors import rollout_dag

# a message is read on a telephone, and some notifiers refuse a long one
MOST = 10  # steps
LONGEST = 500  # characters of one reason

# what Airflow calls the end of a run in which no step has failed
_ENDS = {
    "timed_out": "it took longer than it may",
    "all_tasks_deadlocked": "no step could begin any more",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedStep:
    """A task instance that failed itself, and its reason where it left one."""

    task_id: str
    place: int = -1  # in its group of mapped steps
    why: str = ""
    told_by: str = ""  # the run whose failure it only repeats

    @property
    def name(self) -> str:
        """The step, and which of its group: "replace.drain[3]"."""
        return f"{self.task_id}[{self.place}]" if self.place >= 0 else self.task_id

    def __str__(self) -> str:
        return f"{self.name}: {_short(self.why) or 'see its log'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A run that has failed. As text, in a template `{{ failure }}`, it is the whole message."""

    dag_id: str
    run_id: str
    service: str = ""  # where the run is about one
    end: str = ""  # what Airflow calls it
    steps: Sequence[FailedStep] = ()
    page: str = ""  # of the run, in Airflow's own pages

    @property
    def title(self) -> str:
        """One line, for those who only see the subject."""
        return f"{self.dag_id} has failed: {self._first()}"

    @property
    def is_told(self) -> bool:
        """Whether it only repeats what other runs have told: those of rollouts that it followed."""
        return bool(self.steps) and all(step.told_by for step in self.steps)

    def __str__(self) -> str:
        of = f" of service {self.service}" if self.service else ""
        told = [str(step) for step in self.steps[:MOST]]
        if more := len(self.steps[MOST:]):
            told.append(f"and {more} more")
        lines = [self.title, f"Run {self.run_id}{of}", *told, self.page]
        return "\n".join(line for line in lines if line)

    def _first(self) -> str:
        if not self.steps:
            return _ENDS.get(self.end, "its page says more")
        more = len(self.steps) - 1
        return f"{self.steps[0].name}{f' and {more} more' if more else ''}"


def failed_steps(states: Mapping[str, str | None], task_ids: Collection[str]) -> list[FailedStep]:
    """Return what failed itself, in order; Airflow's keys are "drain" and, mapped, "drain_3"."""
    steps = (_step(key, task_ids) for key, state in states.items() if state == "failed")
    return sorted(steps, key=lambda step: (step.task_id, step.place))


def _step(key: str, task_ids: Collection[str]) -> FailedStep:
    task_id, _, place = key.rpartition("_")
    if key not in task_ids and place.isdecimal():
        return FailedStep(task_id=task_id, place=int(place))
    return FailedStep(task_id=key)


def is_rollout(dag_id: str) -> bool:
    """Return whether it is the DAG of one service."""
    return dag_id.startswith(rollout_dag(""))


def service_of(dag_id: str, params: Mapping[str, Any]) -> str:
    """Return the service that a run is about, "" where it is about many or none."""
    if is_rollout(dag_id):
        return dag_id.removeprefix(rollout_dag(""))
    asked = (params.get(field) for field in ("service", "name", "end_now"))
    return next((name for name in asked if isinstance(name, str)), "")


def _short(why: str) -> str:
    return why if len(why) <= LONGEST else f"{why[:LONGEST]} …"
