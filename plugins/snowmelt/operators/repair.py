"""Mend in place what an audit finds and what is safely ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.audit import Finding
from include.catalogue import Service
from include.front_doors import rollout_dag
from snowmelt.errors import SnowmeltError, raise_all
from snowmelt.hooks.dag_runs import DagRunsHook
from snowmelt.mend import MENDS, mend
from snowmelt.operators.audit import AuditOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class RepairFleet(AuditOperator):
    """Mend what is safely ours, on a fresh look: an old decision is never carried out."""

    def execute(self, context: Context) -> list[str]:
        found = self.for_change(context)
        done, failed = list[str](), list[SnowmeltError]()
        for each in found.judged:
            if each.safe and each.finding.act in MENDS:
                self._mend(found.services[each.finding.service], each.finding, done, failed)
        raise_all([*failed, *found.unseen])
        self.log.info("%d repaired; the next audit looks whether it holds", len(done))
        return done

    def _mend(
        self, service: Service, found: Finding, done: list[str], failed: list[SnowmeltError]
    ) -> None:
        """Mend one thing; that one system refuses must not keep the others from being mended."""
        what = f"{found.act}: {found.system}, {found.thing} ({found.reason})"
        try:
            if DagRunsHook().under_way(rollout_dag(service.name)):
                self.log.info("%s: left to the rollout that has begun since the look", what)
                return
            outcome = mend(service, found)
        except SnowmeltError as error:
            self.log.warning("%s failed: %s", what, error)
            failed.append(error)
        else:
            self.log.info("%s %s", outcome, what)
            done.append(what)
