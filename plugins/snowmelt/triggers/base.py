"""The one wait loop. A subclass says only how to look and what it means."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from include.verdict import Verdict, done, failed, pending
from snowmelt.errors import Refused, SnowmeltError

# Airflow 3.3.2 hears of the end of the process that handed over when its scheduler comes round to
# it, a second or two later under load. Has the task been queued again by then, that end is taken
# for its death: it is killed and a try is spent (apache/airflow#67287, #72716).
EARLIEST_S = 2.0
# Each line that a trigger logs makes Airflow's triggerer look at all its triggers in the database,
# 50 ms of a core: a watch that counts its seconds, on each of ten services, was a tenth of one.
TELL_S = 5.0


@dataclass(kw_only=True, eq=False, repr=False)
class WaitTrigger(BaseTrigger):
    """Look every *interval* seconds until it is decided, or until *deadline* (epoch seconds).

    The fields are the parameters: they are listed once and survive the database. The deadline
    is absolute, so that a restart of the triggerer does not start the wait anew.
    """

    deadline: float
    interval: float = 2.0

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def serialize(self) -> tuple[str, dict[str, Any]]:
        cls = type(self)
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        return f"{cls.__module__}.{cls.__qualname__}", values

    @abstractmethod
    async def check(self) -> Verdict:
        """Look once. An error that may pass is raised as `SnowmeltError`: the wait goes on."""

    def expired(self, last: Verdict) -> Verdict:
        """Say what the end of the deadline means; most waits have failed then."""
        return failed(f"not within the deadline: {last.detail}")

    async def wait(self, until: float | None = None) -> Verdict:
        """Return the first verdict that is not pending, or what is pending yet at *until*."""
        said, next_tell = "", 0.0
        while (verdict := await self._look()).status == "pending":
            if verdict.detail != said and time.monotonic() >= next_tell:
                self.log.info("%s", verdict.detail)
                said, next_tell = verdict.detail, time.monotonic() + TELL_S
            if time.time() >= self.deadline:
                return self.expired(verdict)
            if until is not None and time.time() + self.interval > until:
                return verdict
            await asyncio.sleep(self.interval)
        return verdict

    async def _look(self) -> Verdict:
        try:
            return await self.check()
        except Refused as error:
            return failed(str(error))
        except SnowmeltError as error:
            return pending(f"cannot look: {error}")

    async def decided(self) -> Verdict:
        """Return how the wait ended, not before `EARLIEST_S` are over."""
        earliest = time.time() + EARLIEST_S
        verdict = await self.wait()
        await asyncio.sleep(max(0.0, earliest - time.time()))
        return verdict

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent((await self.decided()).to_event())


@dataclass(kw_only=True, eq=False, repr=False)
class PauseTrigger(WaitTrigger):
    """Wait for *deadline*, for a thing that is ready in a moment but cannot be asked for."""

    async def check(self) -> Verdict:
        left = self.deadline - time.time()
        return done("go on") if left <= 0 else pending(f"a pause of {left:.1f} s")

    def expired(self, last: Verdict) -> Verdict:
        return done("go on")
