"""Run steps side by side, each as soon as those before it are done, and say how long each took."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass

_PATIENCE_S = 10.0  # nobody should look at a silent screen for longer


@dataclass(frozen=True)
class Step:
    """One piece of work. `action` returns what to say about it ("already there"), or nothing."""

    name: str
    action: Callable[[], str | None]
    needs: tuple[str, ...] = ()


class StepFailedError(RuntimeError):
    """A step failed; the text names it and the reason."""


class Progress:
    """Lines with the seconds since the start, from any thread."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        with self._lock, suppress(OSError):  # the work goes on also where nobody listens any more
            print(f"{time.monotonic() - self.started:6.1f} s  {text}")
            sys.stdout.flush()


def run(steps: Sequence[Step], progress: Progress, enter: Callable[[], None]) -> None:
    """Run all steps; `enter` is called once in each worker thread.

    Raises:
        StepFailedError: the first step that failed; the others were let finish, none new begun.
        ValueError: a step needs one that there is not, or itself.
    """
    waiting = {step.name: step for step in steps}
    done: set[str] = set()
    running: dict[Future[None], str] = {}
    failures: list[str] = []
    with ThreadPoolExecutor(max_workers=len(steps), initializer=enter) as pool:
        while True:
            for step in _startable(waiting, done, failures):
                running[pool.submit(_perform, step, progress)] = waiting.pop(step.name).name
            if not running:
                break
            settled = wait(running, _PATIENCE_S, return_when=FIRST_COMPLETED).done
            if not settled:
                progress.say(f"waiting for {', '.join(sorted(running.values()))}")
            for future in settled:
                _settle(future, running.pop(future), done, failures)
    if failures:
        raise StepFailedError(failures[0])
    if waiting:
        raise ValueError(f"steps that can never start: {', '.join(sorted(waiting))}")


def _startable(waiting: Mapping[str, Step], done: set[str], failures: list[str]) -> list[Step]:
    if failures:
        return []
    return [step for step in waiting.values() if done.issuperset(step.needs)]


def _settle(future: Future[None], name: str, done: set[str], failures: list[str]) -> None:
    error = future.exception()
    if error is None:
        done.add(name)
    else:
        failures.append(f"{name}: {error}")


def _perform(step: Step, progress: Progress) -> None:
    began = time.monotonic()
    note = step.action()
    took = time.monotonic() - began
    progress.say(f"{step.name:<16} {note or 'ready'}" + (f" ({took:.1f} s)" if took >= 0.1 else ""))
