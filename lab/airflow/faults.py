"""Break Airflow's processes on purpose: `kill -9`, aimed exactly."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from lab.airflow.place import LAB_UID
from lab.airflow.supervise import AirflowSupervisor
from lab.airflow.wait import until

PROC = Path("/proc")


def children(pid: int) -> list[int]:
    """Return the direct children of *pid*; none when it is gone."""
    found: list[int] = []
    for task in (PROC / str(pid) / "task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def descendants(pid: int) -> Iterator[int]:
    """Yield everything below *pid*."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def title(pid: int) -> str:
    """Return what `ps` shows for *pid*; nothing when it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def task_process(task_instance: str) -> int | None:
    """Return the pid of the process that runs the task instance with this uuid, if one does."""
    wanted = f"airflow worker -- {task_instance}"
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or not title(int(entry.name)).startswith(wanted):
            continue
        if entry.stat().st_uid == LAB_UID:
            return int(entry.name)
    return None


def kill_task(task_instance: str, seconds: float = 30) -> int:
    """Kill the process of a task instance as soon as there is one. Return its pid.

    Raises:
        TimeoutError: no process ran it within *seconds*.
    """
    what = f"a process runs {task_instance}"
    until(lambda: task_process(task_instance) is not None, seconds, what, every=0.02)
    pid = task_process(task_instance)
    if pid is None:
        raise TimeoutError(f"the process of {task_instance} ended by itself")
    os.kill(pid, signal.SIGKILL)
    return pid


def kill_process(supervisor: AirflowSupervisor, name: str, seconds: float = 15) -> int:
    """Kill one of Airflow's processes with everything below it; the supervisor starts it anew.

    Returns the pid that was killed. Returns as soon as it is gone, not when the new one is ready.
    """
    pid = supervisor.pid(name)
    victims = [pid, *descendants(pid)]
    for victim in victims[1:]:  # the first is `unshare`, which ends with its child
        os.kill(victim, signal.SIGKILL)
        break
    gone = lambda: not any(title(victim) for victim in victims)  # noqa: E731
    until(gone, seconds, f"{name} is gone", every=0.02)
    return pid
