"""Take a VM into the load balancer, drain it, and take it out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from include.catalogue.model import Balancer as Pool
from include.planner import may_drain, may_join, may_retire
from snowmelt.errors import Busy
from snowmelt.hooks.balancer import Balancer, balancer_for
from snowmelt.look import look_at_one, look_at_pool, look_at_traffic
from snowmelt.operators.base import BRIEF_S, deadline
from snowmelt.operators.step import NewVmOperator, StepOperator
from snowmelt.triggers.base import PauseTrigger
from snowmelt.triggers.traffic import DrainedTrigger, MayDrainTrigger, ServingTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


# in place up to here: to be taken up again costs more; a worker that waits longer blocks others
SETTLING_S = 5.0


class JoinBalancer(NewVmOperator):
    """Add the VM to its pool and wait until the balancer sends traffic to it."""

    def execute(self, context: Context) -> Any:
        pool, name = self.service.balancer, self.vm["name"]
        if pool is None:
            self.log.info("%s has no balancer", self.service.name)
            return None
        self._must_be_ready()
        balancer = balancer_for(self.connections.balancer)
        outcome = balancer.ensure_member(pool.pool, name, self.address, pool.port)
        self.log.info("%s %s in pool %s", outcome, name, pool.pool)
        return self.wait(
            context,
            ServingTrigger(
                conn_id=self.connections.balancer,
                pool=pool.pool,
                name=name,
                deadline=deadline(pool.join_deadline),
            ),
            first_s=BRIEF_S,
        )

    def _must_be_ready(self) -> None:
        seen = look_at_one(self.service, self.vm["name"], self.plan.scope)
        verdict = may_join(self.service, self.plan, seen, self.vm["name"])
        self.guard(verdict)
        self.log.info("%s", verdict.detail)


class Drain(StepOperator):
    """Give the VM no new sessions, and wait until the old ones have ended or the deadline is over.

    Before that it waits until the new VMs have settled and can carry the service without it.
    """

    def execute(self, context: Context) -> Any:
        if self.vm is None:
            raise AirflowSkipException("a VM came, and none goes for it")
        pool = self.service.balancer
        if pool is None or self._is_out(pool):
            return None
        return self.wait(
            context,
            MayDrainTrigger(
                service=self.service.model_dump(mode="json"),
                plan=self.plan.to_json(),
                name=self.vm["name"],
                deadline=deadline(self.service.watch.settle + pool.join_deadline),
            ),
            then="drain",
            first_s=self._settles_s(),
        )

    def _settles_s(self) -> float:
        """How long to wait in place: some of the time has passed since the last one joined."""
        settle = self.service.watch.settle.total_seconds()
        return settle if settle <= SETTLING_S else 0.0

    def drain(self, context: Context, event: dict[str, Any]) -> Any:
        """Begin the drain, if it is still safe, and wait for its end."""
        self.settle(event)
        pool, name = self.service.balancer, self.vm["name"]
        if pool is None or self._is_out(pool):
            return None
        seen = look_at_traffic(self.service, self.plan.scope)
        verdict = may_drain(self.service, self.plan, seen, name)
        self.guard(verdict, f"{name} is not drained")
        outcome = balancer_for(self.connections.balancer).drain(pool.pool, name)
        self.log.info("%s drain of %s: %s", outcome, name, verdict.detail)
        return self.wait(
            context,
            DrainedTrigger(
                conn_id=self.connections.balancer,
                pool=pool.pool,
                name=name,
                idle_s=self.service.drain.idle.total_seconds(),
                on_deadline=self.service.drain.on_deadline,
                deadline=deadline(self.service.drain.deadline),
            ),
        )

    def _is_out(self, pool: Pool) -> bool:
        out = self.vm["name"] not in {m.name for m in look_at_pool(self.service)}
        if out:
            self.log.info("%s is not in pool %s", self.vm["name"], pool.pool)
        return out


class LeaveBalancer(StepOperator):
    """Take the drained VM out of its pool; what is still connected is cut.

    Returns what only the old VM can tell, for the proof of the day: it is retired after this.
    """

    def execute(self, context: Context) -> Any:
        pool = self.service.balancer
        if pool is None:
            return self._tell()
        seen = look_at_traffic(self.service, self.plan.scope)
        verdict = may_retire(self.service, self.plan, seen, self.vm["name"], drained=True)
        self.guard(verdict, f"{self.vm['name']} stays in pool {pool.pool}")
        self.log.info("%s", verdict.detail)
        try:
            return self._leave(balancer_for(self.connections.balancer), pool.pool)
        except Busy as busy:
            # its idle connections are closed within a second or two
            self.log.info("%s", busy)
            pause = PauseTrigger(deadline=deadline(timedelta(seconds=1)), interval=0.5)
            return self.wait(context, pause, then="again")

    def again(self, context: Context, event: dict[str, Any]) -> Any:
        """Try once more; a second refusal is an error, which Airflow retries."""
        self.settle(event)
        pool = self.service.balancer
        return pool and self._leave(balancer_for(self.connections.balancer), pool.pool)

    def _leave(self, balancer: Balancer, pool: str) -> dict[str, Any]:
        told = self._tell()
        outcome = balancer.remove_member(pool, self.vm["name"], cut=True)
        self.log.info("%s %s from pool %s", outcome, self.vm["name"], pool)
        return {**told, "left": datetime.now(UTC).isoformat(timespec="seconds")}

    def _tell(self) -> dict[str, Any]:
        # only here: every task parses the DAG, and the models of a proof take 35 ms to load
        from snowmelt.proof.collect import of_old_vm

        before = self.rollout.get("errors", {})
        return of_old_vm(self.service, self.plan, self.vm["name"], before)
