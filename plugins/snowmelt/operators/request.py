"""One VM for one person: ask for it, and keep it longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.catalogue.model import Service
from include.catalogue.requests import extended, new_request
from include.planner import rollout_id
from snowmelt.catalogue import settled_policy
from snowmelt.errors import Refused
from snowmelt.hooks.dag_runs import DagRunsHook
from snowmelt.hooks.requests import RequestsHook, ends_before
from snowmelt.operators.front_door import FollowRollout

if TYPE_CHECKING:
    from airflow.sdk import Context


class RequestVm(FollowRollout):
    """Write the catalogue entry of a requested VM, wait for its DAG, and roll it out.

    All that it writes follows from the form and from when the run was asked for, so a retry finds
    its own entry and takes it for what it is.
    """

    def service_name(self, context: Context) -> str:
        run = context["dag_run"]
        return context["params"]["name"] or f"vm-{rollout_id(run.dag_id, run.run_id)}"

    def prepare(self, context: Context) -> None:
        name, asked = self.service_name(context), context["params"]
        try:
            entry = new_request(settled_policy(), name, asked, context["dag_run"].run_after)
        except ValueError as error:
            raise Refused(str(error)) from error
        self.log.info("%s %s, until %s", RequestsHook().ensure(entry), name, entry.expires_at)

    def conf(self, context: Context) -> dict[str, Any]:
        asked = context["params"]
        return {"reason": f"{asked['owner']} asked for it: {asked['purpose']}"[:500]}

    def show_outcome(self, context: Context, event: dict[str, Any]) -> dict[str, Any] | None:
        name = self.service_name(context)
        try:
            found = super().show_outcome(context, event)
        except Refused as error:
            raise Refused(f"{error}. {way_out(name)}") from error
        entry = RequestsHook().read(name)
        for vm in found["new"] if found else ():
            self.log.info("%s is ready, until %s", entry.fqdn(vm), entry.expires_at)
        return found


class ExtendRequest(FollowRollout):
    """Give a requested VM a new end, from now on.

    A rollout follows: OpenNebula enforces the end that a VM was made with, so a new VM is made.
    """

    def service_name(self, context: Context) -> str:
        return str(context["params"]["service"])

    def prepare(self, context: Context) -> None:
        entry = self._entry(context)
        self.log.info("%s %s, until %s", RequestsHook().extend(entry), entry.name, entry.expires_at)

    def conf(self, context: Context) -> dict[str, Any]:
        return {"reason": context["params"]["reason"] or "kept longer"}

    def start(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        try:
            return super().start(context, event)
        except Refused:
            self._take_back(context)
            raise

    def show_outcome(self, context: Context, event: dict[str, Any]) -> dict[str, Any] | None:
        if event["status"] == "done":
            self._hold(context)
        else:
            self._take_back(context)
        return super().show_outcome(context, event)

    def _hold(self, context: Context) -> None:
        """Let the new end hold, if the VM has it: a plan from after a take-back has the old one."""
        entry, planned = self._entry(context), self._planned(context)
        if planned is None or ends_before(planned, entry):
            held = RequestsHook().take_back(entry)
            raise Refused(
                f"{held.name} ends at {held.expires_at}: its rollout was not planned with"
                f" {entry.expires_at}, so no VM lasts until then. Run extend_request anew"
            )
        RequestsHook().settle(entry)

    def _planned(self, context: Context) -> Service | None:
        """Return the entry that the rollout is pinned to; None where somebody only marked it."""
        rollout = DagRunsHook().pulled(*self._child(context), "plan", "rollout")
        return Service.model_validate(rollout["service"]) if rollout else None

    def _take_back(self, context: Context) -> None:
        """Let it end when it was to, for so does its VM; while a rollout goes on, wait for that."""
        if DagRunsHook().look(*self._child(context)).state in (None, "failed"):
            entry = RequestsHook().take_back(self._entry(context))
            self.log.warning("%s still ends at %s", entry.name, entry.expires_at)

    def _entry(self, context: Context) -> Service:
        """Return the entry with its new end, which is the same at every attempt."""
        asked = context["params"]
        entry = RequestsHook().read(asked["service"])
        try:
            return extended(
                settled_policy(), entry, asked["lifetime"], context["dag_run"].run_after
            )
        except ValueError as error:
            raise Refused(str(error)) from error


def way_out(name: str) -> str:
    """Return how to get rid of a request whose VM never came."""
    return f"To take back what was asked for, run expire_requests with end_now={name}"
