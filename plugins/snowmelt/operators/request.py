"""One VM for one person: ask for it, keep it longer, and take it back at its end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from include.catalogue.loader import CatalogueError
from include.catalogue.model import Service
from include.catalogue.requests import (
    RequestPolicy,
    expired,
    extended,
    load_policy,
    new_request,
    to_remind,
)
from include.planner import rollout_id
from include.traces import names_left
from snowmelt.errors import Refused, SnowmeltError
from snowmelt.hooks.balancer import balancer_for
from snowmelt.hooks.good_releases import GoodReleasesHook
from snowmelt.hooks.puppetdb import PuppetDbHook
from snowmelt.hooks.requests import RequestsHook
from snowmelt.identity import retirements
from snowmelt.look import facts
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
            entry = new_request(policy(), name, asked, context["dag_run"].run_after)
        except ValueError as error:
            raise Refused(str(error)) from error
        self.log.info("%s %s, until %s", RequestsHook().ensure(entry), name, entry.expires_at)

    def conf(self, context: Context) -> dict[str, Any]:
        asked = context["params"]
        return {"reason": f"{asked['owner']} asked for it: {asked['purpose']}"[:500]}

    def show_outcome(self, context: Context, event: dict[str, Any]) -> dict[str, Any] | None:
        found = super().show_outcome(context, event)
        entry = RequestsHook().read(self.service_name(context))
        for name in found["new"] if found else ():
            self.log.info("%s is ready, until %s", entry.fqdn(name), entry.expires_at)
        return found


class ExtendRequest(FollowRollout):
    """Give a requested VM a new end, from now on.

    A rollout follows: OpenNebula enforces the end that a VM was made with, so a new VM is made.
    """

    def service_name(self, context: Context) -> str:
        return str(context["params"]["service"])

    def prepare(self, context: Context) -> None:
        asked, requests = context["params"], RequestsHook()
        entry = requests.read(asked["service"])
        try:
            entry = extended(policy(), entry, asked["lifetime"], context["dag_run"].run_after)
        except ValueError as error:
            raise Refused(str(error)) from error
        self.log.info("%s %s, until %s", requests.change(entry), entry.name, entry.expires_at)

    def conf(self, context: Context) -> dict[str, Any]:
        return {"reason": context["params"]["reason"] or "kept longer"}


class ReviewRequests(BaseOperator):
    """Remind the owners of what ends soon; return the names of what has ended."""

    def execute(self, context: Context) -> list[str]:
        if name := context["params"]["end_now"]:
            self._end(name, context["dag_run"].run_after)
        now, rules, entries = datetime.now(UTC), policy(), self._entries()
        for entry in entries:
            self.log.info("%s of %s, until %s", entry.name, entry.owner, entry.expires_at)
        since = context["prev_start_date_success"] or None  # a proxy of None is not None
        for entry in to_remind(rules, entries, since, now):
            self._remind(entry, rules, context)
        return [entry.name for entry in expired(entries, now)]

    def _end(self, name: str, moment: datetime) -> None:
        """Its owner needs it no longer. Only the entry says so: no later run brings it back."""
        entry = RequestsHook().read(name)
        if not expired([entry], moment):
            entry = entry.model_copy(update={"expires_at": moment})
            self.log.info("%s %s: it ends now", RequestsHook().change(entry), name)

    def _entries(self) -> list[Service]:
        """One file that is broken must not keep the others alive."""
        found = []
        for name in RequestsHook().names():
            try:
                found.append(RequestsHook().read(name))
            except SnowmeltError as error:
                self.log.error("%s", error)  # noqa: TRY400 - a sentence for people, no traceback
        return found

    def _remind(self, entry: Service, rules: RequestPolicy, context: Context) -> None:
        self.log.warning("%s of %s ends at %s", entry.name, entry.owner, entry.expires_at)
        for each in rules.reminders:
            module, _, name = each.notifier.rpartition(".")
            notifier = getattr(import_module(module), name)(**each.arguments)
            notifier({**context, "request": entry.model_dump(mode="json")})


class RetireRequest(FollowRollout):
    """Retire what has expired, clear what is left of it anywhere, and remove its entry."""

    template_fields: Sequence[str] = ("service",)
    limit = timedelta(hours=1)  # the next run tries again

    def __init__(self, *, service: str, **kwargs: Any) -> None:
        kwargs.setdefault("map_index_template", "{{ task.service }}")
        super().__init__(**kwargs)
        self.service = service

    def service_name(self, context: Context) -> str:
        return self.service

    def conf(self, context: Context) -> dict[str, Any]:
        return {"reason": "it has expired"}

    def show_outcome(self, context: Context, event: dict[str, Any]) -> dict[str, Any] | None:
        found = super().show_outcome(context, event)
        entry = RequestsHook().read(self.service)
        if not expired([entry], datetime.now(UTC)):
            self.log.info("%s was kept longer meanwhile", self.service)
            return found
        self._forget(entry)
        GoodReleasesHook().forget(entry.name)
        self.log.info("%s %s", RequestsHook().remove(entry.name), entry.name)
        return found

    def _forget(self, entry: Service) -> None:
        """Clear the traces of VMs that OpenNebula ended while nobody was here to retire them."""
        seen, nodes = facts(entry), PuppetDbHook(entry.connections.puppetdb).nodes()
        if alive := [vm.name for vm in seen.vms if vm.phase != "done"]:
            raise SnowmeltError(f"expired and still there: {', '.join(alive)}")
        for name in names_left(entry, seen, nodes):
            if entry.balancer:
                balancer = balancer_for(entry.connections.balancer)
                balancer.remove_member(entry.balancer.pool, name, cut=True)
            for what, remove in retirements(entry, entry.fqdn(name), None, revoke=True):
                self.log.info("%s %s of %s", remove(), what, name)


def policy() -> RequestPolicy:
    """Return what may be asked for here."""
    try:
        return load_policy()
    except CatalogueError as error:
        raise Refused(str(error)) from error
