"""The end of what people asked for: tell its owner before, then retire it and forget it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from include.catalogue.model import Service
from include.catalogue.notifier import Notifier
from include.catalogue.requests import expired, is_ending
from include.front_doors import rollout_dag
from include.planner import Facts, see
from include.traces import names_left
from snowmelt.catalogue import settled_policy
from snowmelt.errors import SnowmeltError
from snowmelt.hooks.dag_runs import DagRunsHook
from snowmelt.hooks.good_releases import GoodReleasesHook
from snowmelt.hooks.placements import PlacementsHook
from snowmelt.hooks.requests import RequestsHook
from snowmelt.notifiers import send
from snowmelt.operators.front_door import FollowRollout
from snowmelt.ours import known_rollouts
from snowmelt.remains import forget_remains

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReviewRequests(BaseOperator):
    """Return the names of what has ended."""

    def execute(self, context: Context) -> list[str]:
        if name := context["params"]["end_now"]:
            self._end(name, context["dag_run"].run_after)
        entries = readable(self)
        for entry in entries:
            self.log.info("%s of %s, until %s", entry.name, entry.owner, entry.expires_at)
        return [entry.name for entry in expired(entries, datetime.now(UTC))]

    def _end(self, name: str, moment: datetime) -> None:
        """Its owner needs it no longer. Only the entry says so: no later run brings it back."""
        entry = RequestsHook().read(name)
        if expired([entry], moment):
            return  # an earlier try has written it
        if RequestsHook().written_at(name) > moment:
            # a run that is cleared days later must not end what nobody meant
            self.log.warning("%s was asked for, or kept longer, after %s: it stays", name, moment)
            return
        entry = entry.model_copy(update={"expires_at": moment})
        self.log.info("%s %s: it ends now", RequestsHook().change(entry), name)


class FindReminders(BaseOperator):
    """Return the names of what ends soon and whose owners have not been told all of it."""

    def execute(self, context: Context) -> list[str]:
        rules, requests, now = settled_policy(), RequestsHook(), datetime.now(UTC)
        return [
            entry.name
            for entry in readable(self)
            if not expired([entry], now)
            and is_ending(rules, entry, requests.written_at(entry.name), now)
            and requests.told(entry) <= len(rules.reminders)
        ]


class RemindOwner(BaseOperator):
    """Tell the owner of one VM of its end: in the log, then by each notifier of the policy.

    What has gone out is noted at once, so nobody is told twice by what worked when another failed.
    """

    template_fields: Sequence[str] = ("service",)

    def __init__(self, *, service: str, **kwargs: Any) -> None:
        kwargs.setdefault("map_index_template", "{{ task.service }}")
        super().__init__(**kwargs)
        self.service = service

    def execute(self, context: Context) -> None:
        requests = RequestsHook()
        entry = requests.read(self.service)
        for each in (None, *settled_policy().reminders)[requests.told(entry) :]:
            self._tell(entry, each, context)
            requests.note_told(entry)

    def _tell(self, entry: Service, by: Notifier | None, context: Context) -> None:
        if by is None:
            self.log.warning("%s of %s ends at %s", entry.name, entry.owner, entry.expires_at)
            return
        send(by, context, request=entry.model_dump(mode="json"))


class RetireRequest(FollowRollout):
    """Retire what has expired, clear what is left of it anywhere, and remove its entry."""

    template_fields: Sequence[str] = ("service",)
    limit = timedelta(minutes=15)  # others wait for their end meanwhile; the next run tries again

    def __init__(self, *, service: str, **kwargs: Any) -> None:
        kwargs.setdefault("map_index_template", "{{ task.service }}")
        super().__init__(**kwargs)
        self.service = service

    def service_name(self, context: Context) -> str:
        return self.service

    def prepare(self, context: Context) -> None:
        """Begin nothing that could not end soon: a run that hangs must not hold up the others."""
        if self.service not in RequestsHook().names():
            raise AirflowSkipException(f"{self.service} has gone")
        if DagRunsHook().under_way(rollout_dag(self.service)):
            raise AirflowSkipException(f"{self.service} is being rolled out: it is looked at again")

    def conf(self, context: Context) -> dict[str, Any]:
        return {"reason": "it has expired"}

    def show_outcome(self, context: Context, event: dict[str, Any]) -> dict[str, Any] | None:
        found = super().show_outcome(context, event)
        if self.service not in RequestsHook().names():
            self.log.info("%s has gone", self.service)  # by an attempt that was killed after it
            return found
        entry = RequestsHook().read(self.service)
        if not expired([entry], datetime.now(UTC)):
            self.log.info("%s was kept longer meanwhile", self.service)
            return found
        self._forget(entry, context)
        self._remove(entry)
        return found

    def _forget(self, entry: Service, context: Context) -> None:
        """Clear the traces of VMs that OpenNebula ended while nobody was here to retire them."""
        ours = known_rollouts(entry.name, context)

        def named(known: Facts, nodes: Collection[str]) -> Iterable[str]:
            if alive := [vm.name for vm in see(entry, known).vms]:
                raise SnowmeltError(f"expired and still there: {', '.join(alive)}")
            return names_left(entry, known, nodes, ours)

        forget_remains(entry, named, self)

    def _remove(self, entry: Service) -> None:
        """Remove the entry, unless its owner kept it longer while its traces were cleared."""
        rollouts = DagRunsHook().under_way(rollout_dag(entry.name))
        if rollouts or RequestsHook().read(entry.name) != entry:
            self.log.info("%s stays: it was kept longer, or is being rolled out", entry.name)
            return
        GoodReleasesHook().forget(entry.name)
        PlacementsHook().forget(entry.name)
        self.log.info("%s %s", RequestsHook().remove(entry.name), entry.name)


def readable(task: BaseOperator) -> list[Service]:
    """Return what was asked for; one file that is broken must not keep the others alive."""
    found = []
    for name in RequestsHook().names():
        try:
            found.append(RequestsHook().read(name))
        except SnowmeltError as error:
            task.log.error("%s", error)  # noqa: TRY400 - a sentence for people, no traceback
    return found
