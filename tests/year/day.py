"""One day of a fleet: planned by the product's planner, done by its hooks, cleaned up after."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from include.catalogue import load_service
from include.catalogue.fleet import Fleet as FleetPolicy
from include.catalogue.model import Service
from include.fleet import RotationPlan, Turn, plan_turns
from include.fleet.dispatch import Budget, Progress, decide
from include.planner import Facts, Plan, Wanted, plan_rollout, rollout_id, see, vm_name
from include.state import expired, list_faults, stale_faults
from snowmelt.identity import retirements
from tests.year.systems import Systems, again, pause, time_at
from tests.year.vms import AddressPlan, Machine, Vms

REPLICAS = 5
AT_ONCE, SERVICES_AT_ONCE = 16, 5  # steps of VMs, and rollouts: most of a day is waiting
PATIENCE_S = 60.0
CRASH_EVERY = 10  # days; a rollout that dies leaves a certificate behind
KEEP_DAYS = 9  # of PuppetDB: two above the longest that the lab keeps anything
MOST_REVOKED, LEAST_DAYS_OF_LIST = 5000, 30  # the form of clean_up
POLICY = FleetPolicy()


class Fleet:
    """All services, and what OpenNebula would know of their VMs."""

    def __init__(self, names: int) -> None:
        self.systems = Systems()
        self.vms = Vms(AddressPlan())
        self.services = fleet_of(names)
        self.done: Counter[str] = Counter()
        self.counting = threading.Lock()
        self.pool = ThreadPoolExecutor(AT_ONCE)  # for all days: each thread keeps its connections
        self.rollouts = ThreadPoolExecutor(SERVICES_AT_ONCE)

    def live(self, day: int) -> dict[str, Any]:
        """Rotate every service (on the first day: bring it up), fail a little, clean up."""
        self.done.clear()
        now = datetime.now(UTC)
        self._same_time(now)
        facts = again(self._look)
        failing = self.rollouts.submit(self._fail, day, now)
        plan, plans = self._rotate(facts, now)
        failing.result()
        faults = again(lambda: self._clean_up(now))
        return {
            "done": dict(self.done),
            "faults": faults,
            "planner": {
                "plan of the day": len(json.dumps(plan.to_json())),
                "plans of the rollouts": sum(len(json.dumps(p.to_json())) for p in plans),
            },
            "seconds": self.systems.taken(),
        }

    def _same_time(self, now: datetime) -> None:
        """Wait until all clocks have jumped: a system in another time would prove nothing."""
        for hook in (self.systems.ca, self.systems.database):
            deadline = time.monotonic() + PATIENCE_S
            while abs((there := again(partial(time_at, hook))) - now) > timedelta(minutes=5):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{hook.hook_name} says it is {there}, here it is {now}")
                pause(0.1)

    def _look(self) -> Facts:
        systems, names = self.systems, [vm.fqdn for vm in self.vms]
        with systems.timed("look"):
            return Facts(
                vms=self.vms.seen(),
                certificates=systems.ca.certificates(),
                addresses=systems.names.addresses("lab.test"),
                health=systems.monitoring.health(names),
            )

    def _rotate(self, facts: Facts, now: datetime) -> tuple[RotationPlan, list[Plan]]:
        """By the planner: whose turn it is, when it begins within the budgets, what it does."""
        day = plan_day(self.services, now)
        ids = {t.service: t.run_id for t in _order(day)} if facts.vms else {}
        names = list(ids) or list(self.services)

        def roll(name: str) -> Plan:
            return self._roll(self.services[name], facts, ids.get(name, f"first__{now}"), now)

        return day, list(self.rollouts.map(roll, names))

    def _roll(self, service: Service, facts: Facts, run_id: str, now: datetime) -> Plan:
        rollout = rollout_id(f"rollout_{service.name}", run_id)
        seen = see(service, facts)
        plan = plan_rollout(service, Wanted(), seen, rollout, now)
        if (len(plan.new), len(plan.old)) != (service.replicas, len(seen.vms)):
            raise RuntimeError(f"{service.name} is not replaced as a whole: {plan}")
        new = [self.vms.made(service, vm.name, now) for vm in plan.new]
        old = [self.vms.named(vm.name) for vm in plan.old]
        list(self.pool.map(lambda vm: self._bring_up(vm, rollout), new))
        with self.systems.timed("results"):
            again(lambda: self.systems.pass_results(service.name))
        list(self.pool.map(lambda vm: self._take_down(vm, revoke=False), old))
        self._count("rollouts")
        return plan

    def _bring_up(self, vm: Machine, rollout: str) -> None:
        systems, fqdn, address = self.systems, vm.fqdn, vm.address
        with systems.timed("names"):
            again(lambda: systems.names.ensure_address(fqdn, address, 60))
        with systems.timed("certificates"):
            again(lambda: vm.enrol(systems.ca, rollout))
        with systems.timed("PuppetDB"):
            again(lambda: vm.report(systems.ca, systems.database))
        with systems.timed("monitoring"):
            variables = {"snowmelt_service": vm.service}
            again(lambda: systems.monitoring.ensure_host(fqdn, address, "snowmelt-vm", variables))
        self._count("VMs made")

    def _take_down(self, vm: Machine, *, revoke: bool) -> None:
        systems, service = self.systems, self.services[vm.service]
        for what, remove in retirements(service, vm.fqdn, vm.address, revoke=revoke):
            with systems.timed(f"no {what}"):
                again(remove)
        self.vms.forget(vm)
        self._count("VMs revoked" if revoke else "VMs retired")

    def _count(self, what: str) -> None:
        with self.counting:
            self.done[what] += 1

    def _fail(self, day: int, now: datetime) -> None:
        """One VM a day is of a rollout that fails; now and then one dies before it can tidy up."""
        service = self.services[sorted(self.services)[day % len(self.services)]]
        rollout = rollout_id(f"rollout_{service.name}", f"failed__{now}")
        vm = self.vms.made(service, vm_name(service.name, rollout, 0), now)
        self._bring_up(vm, rollout)
        self._take_down(vm, revoke=True)
        if day % CRASH_EVERY == 0:
            rollout = rollout_id(f"rollout_{service.name}", f"crashed__{now}")
            vm = self.vms.made(service, vm_name(service.name, rollout, 0), now)
            again(lambda: vm.enrol(self.systems.ca, rollout))
            self.vms.forget(vm)
            self._count("certificates left by a crash")

    def _clean_up(self, now: datetime) -> list[str]:
        """What dags/clean_up.py does in these systems; returns what it would fail for."""
        with self.systems.timed("clean up"):
            ca, running = self.systems.ca, {vm.name for vm in self.vms}
            for certname in expired(ca.certificates(), self.services.values(), running, now):
                ca.remove_certificate(certname, revoke=False)
                self._count("expired certificates removed")
            lists = list_faults(
                ca.revocation_lists(),
                max_entries=MOST_REVOKED,
                min_days=LEAST_DAYS_OF_LIST,
                now=now,
            )
            stale = self.systems.database.stale(now - timedelta(days=KEEP_DAYS))
            return [*lists, *stale_faults(stale, KEEP_DAYS)]


def fleet_of(names: int) -> dict[str, Service]:
    """Return services that together have at least so many VMs."""
    return {s.name: s for s in map(_service, range(-(-names // REPLICAS)))}


def plan_day(services: Mapping[str, Service], now: datetime) -> RotationPlan:
    """Return the rotation of a day on which all VMs run."""
    in_use = {service.name: service.replicas for service in services.values()}
    return plan_turns(POLICY, services, day=POLICY.day(now), began=now, in_use=in_use, spread=True)


def in_order(services: Mapping[str, Service], now: datetime) -> list[Turn]:
    """Return the turns of a day as they begin."""
    return list(_order(plan_day(services, now)))


def _service(number: int) -> Service:
    found = load_service("shop")
    return found.model_copy(
        update={
            "name": f"year{number:02}",
            "replicas": REPLICAS,
            "balancer": None,  # a balancer keeps nothing of a VM that has left it
            "firewall": None,  # nor does a firewall: each VM would be two logins by SSH for nothing
        }
    )


def _order(day: RotationPlan) -> Iterable[Turn]:
    """Yield the turns in the order in which the dispatcher starts them, each done at once."""
    progress: dict[str, Progress] = {}
    budget = Budget.of(POLICY.budgets, day)
    clock = day.began
    while not (decision := decide(day, progress, budget, clock)).over:
        for turn in decision.start:
            yield turn
            progress[turn.service] = Progress(state="success")
        clock += 60
