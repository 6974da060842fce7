"""Make a VM when it is its turn in a rolling rollout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from include.planner import may_start, patience
from snowmelt.errors import Refused
from snowmelt.failures import failed_steps, siblings, stopped
from snowmelt.look import look_at_traffic
from snowmelt.operators.base import deadline
from snowmelt.operators.vm import CreateVm
from snowmelt.triggers.turn import MyTurnTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class CreateVmInTurn(CreateVm):
    """Wait for the turn of a replacement, then make its VM.

    Where *old* only goes and nothing comes for it, the turn is all there is to wait for.
    """

    template_fields: Sequence[str] = ("rollout", "vm", "old")

    def __init__(self, *, old: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.old = old

    def execute(self, context: Context) -> Any:
        return self._in_turn(context)

    def my_turn(self, context: Context, event: dict[str, Any]) -> Any:
        """Begin, if it still is this VM's turn."""
        self.settle(event)
        return self._in_turn(context)

    def _in_turn(self, context: Context) -> Any:
        turn, ti = self._turn(context), context["ti"]
        if broken := failed_steps(ti.dag_id, ti.run_id, turn.steps, ti.get_task_states):
            raise Refused(stopped(turn.name, broken))
        seen = look_at_traffic(self.service, self.plan.scope)
        verdict = may_start(self.service, self.plan, seen, turn.name)
        if verdict.status == "pending":
            return self.wait(context, turn, then="my_turn")
        self.settle(verdict.to_event())
        if self.vm is None:
            raise AirflowSkipException(f"{turn.name} goes, and no VM comes for it")
        return self._create(context)

    def _turn(self, context: Context) -> MyTurnTrigger:
        limit = patience(self.service)
        return MyTurnTrigger(
            service=self.service.model_dump(mode="json"),
            plan=self.plan.to_json(),
            name=(self.vm or self.old)["name"],
            dag_id=context["ti"].dag_id,
            run_id=context["ti"].run_id,
            steps=list(siblings(self.task_id)),
            patience_s=limit.total_seconds(),
            deadline=deadline(limit * len(self.plan.pairs)),
        )
