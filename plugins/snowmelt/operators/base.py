"""What all operators share: the rollout that they belong to, and the hand-over to a trigger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from include.verdict import Verdict, pending
from snowmelt.errors import Refused, SnowmeltError
from snowmelt.triggers.base import PauseTrigger, WaitTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

# how much longer than the trigger's own deadline Airflow waits for its event: only a triggerer
# that is away for good gets there, and the retry then starts with a look
GRACE_S = 120
# how long a wait that is mostly short stays in its worker
BRIEF_S = 3.0
# a heartbeat of Airflow's (5 s by default), by which a step hears that it was given up, and its end
LATE = timedelta(seconds=10)


class WaitOperator(BaseOperator):
    """Acts once in `execute`, then waits in a trigger, or in place with `deferrable=False`."""

    template_fields: Sequence[str] = ()

    def __init__(self, *, deferrable: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable

    def on_kill(self) -> None:
        """Stop at once: Airflow has given this try up, and another step may undo what it did.

        Airflow calls this when it ends a task that was marked as failed; it would let us act on for
        5 s more.
        """
        raise SystemExit("Airflow has given this try up")

    def wait(
        self,
        context: Context,
        trigger: WaitTrigger,
        then: str = "execute_complete",
        *,
        first_s: float | None = None,
    ) -> Any:
        """Wait by *trigger* and go on in the method *then*.

        A wait that is mostly over in a second or two begins in place, for *first_s*: to be taken
        up again after it would cost more than the slot that it holds. 0 is one look, for what is
        mostly there already.
        """
        verdict = self._in_place(trigger, first_s)
        if verdict.status == "pending":
            left = max(0.0, trigger.deadline - time.time()) + GRACE_S
            self.defer(trigger=trigger, method_name=then, timeout=timedelta(seconds=left))
        return getattr(self, then)(context, verdict.to_event())

    def wait_for_late_steps(self, context: Context, then: str) -> Any:
        """Go on in *then* when no step acts any more that somebody has marked as failed."""
        return self.wait(context, PauseTrigger(deadline=deadline(LATE), interval=0.5), then)

    def _in_place(self, trigger: WaitTrigger, first_s: float | None) -> Verdict:
        if not self.deferrable:
            return asyncio.run(trigger.wait())
        if first_s is not None:
            return asyncio.run(trigger.wait(until=time.time() + first_s))
        return pending("nobody has looked yet")

    def settle(self, event: dict[str, Any]) -> Verdict:
        """Return the verdict of a finished wait, or raise what it means for the task."""
        verdict = Verdict(**event)
        if verdict.status == "done":
            self.log.info("%s", verdict.detail)
            return verdict
        raise (SnowmeltError if verdict.retryable else Refused)(verdict.detail)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """End the task by the verdict of its wait."""
        self.settle(event)


def deadline(limit: timedelta) -> float:
    """Return the moment *limit* from now, in epoch seconds."""
    return time.time() + limit.total_seconds()
