"""The last task of a rollout: is it as planned, and is nothing left of what went?"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from include.last_good import Good, remember
from include.planner import Facts
from include.traces import traces
from snowmelt.errors import SnowmeltError
from snowmelt.hooks.good_releases import GoodReleasesHook
from snowmelt.hooks.placements import PlacementsHook
from snowmelt.hooks.puppetdb import PuppetDbHook
from snowmelt.look import look_back
from snowmelt.operators.step import RolloutOperator, staying

if TYPE_CHECKING:
    from airflow.sdk import Context


class Verify(RolloutOperator):
    """Look once more in every system. Returns {"release", "new": [names], "gone": [names]}."""

    def execute(self, context: Context) -> dict[str, Any]:
        if self.only_plan:
            raise AirflowSkipException("dry run")
        seen, plan = look_back(self.service, self.plan), self.plan
        gone = list(plan.going)
        nodes = self._silenced(set(gone) - {vm.name for vm in seen.vms})
        wrong = [*traces(self.service, gone, seen, nodes), *self._absent(seen)]
        if wrong:
            raise SnowmeltError("not as planned: " + "; ".join(wrong))
        new = [vm.name for vm in plan.new]
        self.log.info(
            "release %s runs on %s", plan.release, ", ".join(staying(self.plan)) or "no VM"
        )
        self.log.info("nothing is left of %s", ", ".join(gone) or "anything: nothing went")
        self._remember(context)
        self._prove(context, seen)
        return {"release": plan.release, "new": new, "gone": gone}

    def _silenced(self, gone: Collection[str]) -> set[str]:
        """Return PuppetDB's active nodes, once those are out again that came back.

        A VM tells PuppetDB its facts until it is off, and what it tells after its node was
        deactivated makes the node active again. Now it is gone, and tells nothing any more.
        """
        database = PuppetDbHook(self.connections.puppetdb)
        nodes = set(database.nodes())
        for fqdn in sorted(nodes.intersection(map(self.service.fqdn, gone))):
            self.log.info("%s PuppetDB node of %s, back again", database.deactivate(fqdn), fqdn)
            nodes.remove(fqdn)
        return nodes

    def _remember(self, context: Context) -> None:
        """Keep the release as one to go back to, if every VM runs it; without VMs none does."""
        if not self.plan.replicas:
            PlacementsHook().forget(self.service.name)
        mixed = any(vm.release != self.plan.release for vm in self.plan.kept)
        if mixed or not self.plan.replicas:
            return
        now, run_id = datetime.now(UTC).isoformat(timespec="seconds"), context["dag_run"].run_id
        new, hook = Good(release=self.plan.release, at=now, run=run_id), GoodReleasesHook()
        hook.write(self.service.name, remember(hook.read(self.service.name), new))

    def _prove(self, context: Context, seen: Facts) -> None:
        """Leave the evidence for the proof of the day."""
        # only here: every task parses the DAG, and the models of a proof take 35 ms to load
        from include.proof import Run
        from snowmelt.proof.collect import told_by, write_evidence

        run = context["dag_run"]
        groups = {task_id.rpartition(".")[0] for task_id in self.upstream_task_ids}
        left = [f"{group}.leave_balancer" for group in sorted(groups) if group]
        write_evidence(
            Run(dag_id=run.dag_id, run_id=run.run_id),
            self.service,
            self.plan,
            facts=seen,
            told=told_by(context["ti"], left),
        )

    def _absent(self, seen: Facts) -> list[str]:
        running = {vm.name for vm in seen.vms if vm.phase == "running"}
        absent = [f"{name} does not run" for name in staying(self.plan) if name not in running]
        if self.service.balancer:
            up = {m.name for m in seen.members if m.state == "up"}
            absent += [f"{name} does not serve" for name in staying(self.plan) if name not in up]
        return absent
