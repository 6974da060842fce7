"""Show a run as it goes: one line for each change of each VM."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime

from lab.airflow.client import ENDED, Airflow
from lab.airflow.rows import Task

QUEUED_S = 5.0  # a run that has the service to itself starts within a second

SHOWN = {
    "running": "…",
    "deferred": "waits",
    "success": "done",
    "failed": "FAILED",
    "up_for_retry": "to be tried again",
    "upstream_failed": "not reached",
}


def places(tasks: Iterable[Task]) -> dict[tuple[str, int], str]:
    """Return the VM of each place of a mapped group, as far as one of its tasks has shown it."""
    return {(task.task_id.rpartition(".")[0], task.map_index): task.vm for task in tasks if task.vm}


class Follower:
    """Remembers what it has shown of one run."""

    def __init__(self, say: Callable[[str], None], now: Callable[[], float] = time.monotonic):
        self.say = say
        self.now = now
        self.began = now()
        self._last: dict[tuple[str, int], tuple[str, int]] = {}

    def show(self, tasks: list[Task]) -> None:
        """Say what has changed since the last call."""
        names = places(tasks)
        for task in sorted(tasks, key=lambda task: (task.started is None, str(task.started))):
            state = (task.state or "", task.try_number)
            known = self._last.get((task.task_id, task.map_index))
            self._last[task.task_id, task.map_index] = state
            if state != known and task.state in SHOWN:
                self._line(task, names)

    def _line(self, task: Task, names: dict[tuple[str, int], str]) -> None:
        group = task.task_id.rpartition(".")[0]
        unnamed = f"{group}[{task.map_index}]" if task.map_index >= 0 else "-"
        name = names.get((group, task.map_index), unnamed)
        clock = f"{datetime.now().astimezone():%H:%M:%S} {self.now() - self.began:6.1f} s"
        again = f" (try {task.try_number})" if task.try_number > 1 else ""
        self.say(f"{clock}  {name:24} {task.step:20} {SHOWN[task.state or '']}{again}")


def follow(
    airflow: Airflow, dag_id: str, run_id: str, seconds: float, say: Callable[[str], None]
) -> str:
    """Show the run until it ends and return its state.

    Raises:
        TimeoutError: it still runs after *seconds*.
    """
    follower = Follower(say)
    deadline = time.monotonic() + seconds
    queued = False
    while time.monotonic() < deadline:
        state = airflow.state(dag_id, run_id)
        if state == "queued" and not queued and follower.now() - follower.began > QUEUED_S:
            say("another rollout of this service runs: this one waits for its turn")
            queued = True
        follower.show(airflow.tasks(dag_id, run_id))
        if state in ENDED:
            return state
        time.sleep(1)
    raise TimeoutError(f"{dag_id} {run_id} still runs after {seconds:g} s")


def reasons(airflow: Airflow, dag_id: str, run_id: str) -> list[str]:
    """Return the last log line of each failed task, the first that failed first."""
    failed = [task for task in airflow.tasks(dag_id, run_id) if task.state == "failed"]
    found = []
    for task in sorted(failed, key=lambda task: str(task.ended)):
        lines = [line for line in airflow.log(dag_id, run_id, task) if not line.startswith("::")]
        found.append(f"{task.vm or task.task_id} {task.step}: {lines[-1] if lines else 'no log'}")
    return found
