"""Audit the fleet: look at all systems and say what does not fit."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from include.audit import (
    Finding,
    FleetFacts,
    Judged,
    Memory,
    as_json,
    as_table,
    brake,
    find,
    heal,
    judge,
    needing,
    remember,
    rollouts,
    view_services,
)
from include.catalogue import Service
from include.front_doors import rollout_dag
from snowmelt.catalogue import known_services
from snowmelt.errors import Refused, SnowmeltError
from snowmelt.fleet_look import look_at_fleet, look_at_the_reachable
from snowmelt.hooks.audit_memory import AuditMemoryHook
from snowmelt.hooks.dag_runs import DagRunsHook

if TYPE_CHECKING:
    from airflow.sdk import Context


# what XCom gets, 300 bytes each; on a day with more the brake has something to ask anyway
LISTED = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """One look at the fleet, judged."""

    services: Mapping[str, Service]
    judged: Sequence[Judged]
    question: str  # of the brake; "" when it is released
    memory: Memory  # for the next audit
    healing: frozenset[str]  # services with something broken, and a rollout under way
    left_out: Sequence[str]  # a sentence for each system that is away, with the services it has

    @property
    def unseen(self) -> list[SnowmeltError]:
        """What keeps a task red that has done what it could for the others."""
        return [Refused(sentence) for sentence in self.left_out]


class AuditOperator(BaseOperator):
    """What the tasks of `audit_fleet` share: a fresh look, by the parameters of the run."""

    ui_color = "#eef3fb"

    def audit(self, context: Context, only: Collection[str] | None = None) -> Audit:
        """Look, and decide.

        *only*: of what the audit of this run found, by `Finding.key`. Its repair may be done by
        now: what showed that a VM vanished is gone, and what it let in is not up yet.
        """
        params, now = context["params"], datetime.fromtimestamp(time.time(), UTC)
        memory = AuditMemoryHook().read()
        facts, services, left_out = self._look(context)
        lost, missed = memory.lost, memory.missed
        if only is None:  # who missed them was another run: a rollout may have done it since
            lost, missed = frozenset[str](), lost | missed
        views = view_services(services.values(), facts, now, memory.known, lost, missed)
        found = list(find(views, facts))
        findings = [f for f in found if only is None or f.key in only]
        # what the repair let in is not up yet, and does not count; what has died since does
        dead = [f for f in found if (f.kind, f.system) == ("dead", "OpenNebula")]
        down = [*findings, *dead]
        broken = [f for f in found if f.broken]
        busy = _busy([*down, *broken])
        grace, chosen = timedelta(minutes=params["grace"]), params["services"] or services
        judged = judge(findings, memory, now=now, grace=grace, busy=busy)
        return Audit(
            services=services,
            judged=[each for each in judged if each.finding.service in ("", *chosen)],
            question=brake(down, views, busy=busy, max_down=params["max_down"] / 100),
            memory=remember(memory, findings, rollouts(views), services, now),
            healing=busy & {each.service for each in broken},
            left_out=left_out,
        )

    def _look(self, context: Context) -> tuple[FleetFacts, Mapping[str, Service], Sequence[str]]:
        """Look at all; where a system stays away up to the last try, at the others' services."""
        services, ti = known_services(), context["ti"]
        if ti.try_number <= ti.max_tries:
            return look_at_fleet(services.values()), services, ()
        return look_at_the_reachable(services)

    def for_change(self, context: Context, only: Collection[str] | None = None) -> Audit:
        """Look before something is changed; not without being asked, nor when the brake asks."""
        if not context["params"]["repair"]:
            raise AirflowSkipException("preview: nothing is changed")
        found = self.audit(context, only)
        if found.question:
            raise Refused(found.question)
        return found


class AuditFleet(AuditOperator):
    """Read all systems once and print what does not fit, with what a repair would do about it.

    Returns {"findings": […], "total": how many, "question": "" or what the brake asks,
    "heal": {service: parameters of the rollout that would be started},
    "broken": [`Finding.key` of what these rollouts would mend],
    "left_out": [who was not looked at, and why]}.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        found = self.audit(context)
        AuditMemoryHook().write(found.memory)
        self.log.info("%s", as_table(found.judged))
        safe = sum(each.safe for each in found.judged)
        self.log.info("%d findings, %d of them safely ours", len(found.judged), safe)
        for sentence in found.left_out:
            self.log.error("%s", sentence)
        return {
            "findings": as_json(found.judged[:LISTED]),
            "total": len(found.judged),
            "question": found.question,
            "heal": heal(found.judged),
            "broken": [each.key for each in needing(found.judged)],
            "left_out": list(found.left_out),
        }


class Brake(BaseOperator):
    """Fail, and so stop everything after it, when much is down at once.

    Else it returns what is broken, for `heal`.
    """

    template_fields: Sequence[str] = ("audit",)

    def __init__(self, *, audit: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.audit = audit

    def execute(self, context: Context) -> list[str]:
        if self.audit["question"]:
            raise Refused(self.audit["question"])
        self.log.info("few VMs are down, or none")
        broken: list[str] = self.audit["broken"]
        return broken


class Mended(BaseOperator):
    """Keep the run red where something could not be mended, or was not even looked at."""

    template_fields: Sequence[str] = ("audit",)

    def __init__(self, *, audit: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.audit = audit

    def execute(self, context: Context) -> None:
        if left_out := self.audit.get("left_out"):
            raise Refused("; ".join(left_out))


def _busy(findings: Collection[Finding]) -> frozenset[str]:
    """Ask Airflow which of the services with a finding have a rollout under way."""
    services = {found.service for found in findings if found.service}
    return frozenset(name for name in services if DagRunsHook().under_way(rollout_dag(name)))
