"""Look at the new VMs under traffic before anything is done that cannot be undone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from include.planner import watch_time
from snowmelt.look import look_at_pool
from snowmelt.operators.base import deadline
from snowmelt.operators.step import RolloutOperator, StepOperator, as_list
from snowmelt.triggers.traffic import WatchTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class _Watcher(RolloutOperator):
    """What both kinds of watch share."""

    def watch(self, context: Context, names: Sequence[str], limit: timedelta) -> Any:
        """Watch the VMs *names* for *limit*."""
        self.log.info("watching %s for %s", ", ".join(names), limit)
        return self.wait(
            context,
            WatchTrigger(
                service=self.service.model_dump(mode="json"),
                names=list(names),
                before=[asdict(m) for m in look_at_pool(self.service) if m.name in names],
                began=time.time(),
                duration_s=limit.total_seconds(),
                deadline=deadline(limit + timedelta(minutes=5)),
            ),
        )


class WatchVm(_Watcher, StepOperator):
    """Fail when the new VM goes down, is not well in monitoring, or answers with errors.

    The rolling way: each VM is watched by itself, before its old one goes.
    """

    def execute(self, context: Context) -> Any:
        return self.watch(
            context, [self.vm["name"]], watch_time(self.service, canary=self.vm["canary"])
        )


class Watch(_Watcher):
    """Fail when a watched VM goes down, is not well in monitoring, or answers with errors.

    `canary` watches the first new VM beside the old ones; `drained` watches all that stay, while
    the drained old VMs still run and could take over again at once.

    Returns the old VMs, for the group that is mapped over them.
    """

    def __init__(self, *, stage: Literal["canary", "drained"], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stage = stage

    def execute(self, context: Context) -> Any:
        names = self._names()
        if not names:
            self.log.info("nothing to watch")
            return self._old()
        return self.watch(context, names, self._duration())

    def execute_complete(self, context: Context, event: dict[str, Any]) -> list[dict[str, Any]]:
        self.settle(event)
        return self._old()

    def _old(self) -> list[dict[str, Any]]:
        return [] if self.only_plan else as_list(self.plan.old)

    def _names(self) -> Sequence[str]:
        if self.only_plan or self.plan.nothing_to_do:
            return ()
        if self.stage == "canary":
            return [vm.name for vm in self.plan.new if vm.canary]
        return self.plan.watched

    def _duration(self) -> timedelta:
        canary = self.stage == "canary"
        return self.service.canary.watch if canary else self.service.watch.duration
