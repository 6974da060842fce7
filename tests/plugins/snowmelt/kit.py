"""Run operators as Airflow does, without Airflow: execute, defer, wait, go on in a new process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk._shared.module_loading import import_string
from airflow.sdk.exceptions import TaskDeferred

from include.catalogue import Service
from include.facts import VmSpec
from include.planner import Wanted, parse_name, plan_rollout
from include.verdict import done
from snowmelt.look import look_around
from snowmelt.operators.base import WaitOperator
from snowmelt.operators.roll_back import RollBack
from snowmelt.triggers.base import WaitTrigger
from tests.plugins.snowmelt.world import (
    FakeCertificate,
    FakeHost,
    FakeMember,
    FakeVm,
    FakeWorld,
    age,
)

NEW = "bbbbbbb"
OLD = "aaaaaaa"
# the states of a run that is to be undone
FAILED = {"join_balancer_0": "failed"}


def service(**changes: Any) -> Service:
    """Return the catalogue entry of `shop`, with *changes* to its fields."""
    return Service.model_validate(
        {
            "name": "shop",
            "owner": "web team",
            "description": "A shop.",
            "release": "1.0",
            "replicas": 2,
            "opennebula": {"template": "t", "cpu": 1, "vcpu": 1, "memory_mb": 256},
            "dns": {"zone": "lab.test"},
            "puppet": {"server": "puppet.lab.test", "role": "shop", "enrol_deadline": "2m"},
            "package": {"name": "shop-app"},
            "monitoring": {"template": "m", "deadline": "1m"},
            "balancer": {"pool": "shop", "port": 8080, "join_deadline": "30s"},
            "drain": {"deadline": "60s", "idle": "10s"},
            "canary": {"count": 1, "watch": "10s"},
            "watch": {"settle": "5s", "duration": "20s"},
            **changes,
        }
    )


def spec(name: str, release: str) -> VmSpec:
    """Return what a VM of that name would have been made by."""
    parts = parse_name(name)
    assert parts
    return VmSpec(
        name=name,
        fqdn=f"{name}.lab.test",
        template="t",
        service=parts.service,
        rollout=parts.rollout,
        slot=parts.slot,
        release=release,
        cpu=1,
        vcpu=1,
        memory_mb=256,
        context={"SNOWMELT_RELEASE": release},
    )


def serving(world: FakeWorld, name: str, release: str = "1.0") -> FakeVm:
    """Put a VM into the world that has served for an hour, whole in every system."""
    vm = world.add_vm(spec(name, release), phase="running")
    fqdn, vm.asked, vm.reported = f"{name}.lab.test", True, True
    now = world.clock.now
    world.certificates[fqdn] = FakeCertificate(
        state="signed", key=vm.key, signed_at=now, ttl_s=3 * 86400
    )
    world.nodes.add(fqdn)
    world.names[fqdn] = (vm.address, 60)
    world.hosts[fqdn] = FakeHost(
        address=vm.address, template="m", variables={"snowmelt_service": "shop"}, checked=True
    )
    world.pools["shop"][name] = FakeMember(address=vm.address, port=8080)
    world.tick()
    age(world, timedelta(hours=1))
    return vm


def two_old(world: FakeWorld) -> list[FakeVm]:
    """Let two VMs of release 1.0 serve."""
    return [serving(world, f"shop-{OLD}-{slot}") for slot in (0, 1)]


def planned(of: Service, rollout: str = NEW, *, dry_run: bool = False, **wanted: Any) -> Any:
    """Return what the task `plan` returns, made from what is seen now."""
    plan = plan_rollout(of, Wanted(**wanted), look_around(of), rollout, datetime.now(UTC))
    return {"service": of.model_dump(mode="json"), "plan": plan.to_json(), "dry_run": dry_run}


def vm_of(run: dict[str, Any], group: str, index: int = 0) -> dict[str, Any]:
    """Return one VM of a plan, as the mapped group gets it."""
    vm: dict[str, Any] = run["plan"][group][index]
    return vm


@dataclass
class Ti:
    """What operators use of a task instance."""

    dag_id: str = "rollout_shop"
    run_id: str = "manual__1"
    start_date: datetime | None = None
    states: dict[str, str] = field(default_factory=dict)
    pushed: dict[str, Any] = field(default_factory=dict)
    pulled: dict[str, Any] = field(default_factory=dict)  # by task id; with a key: "task id key"
    try_number: int = 1
    max_tries: int = 5
    runs: dict[str, list[str]] = field(default_factory=dict)  # of a DAG, that Airflow still has

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        return self.pulled.get(task_ids if key == "return_value" else f"{task_ids} {key}")

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def get_task_states(
        self, dag_id: str, run_ids: list[str] | None = None, task_ids: Sequence[str] = ()
    ) -> dict[str, dict[str, str]]:
        mine = {key: s for key, s in self.states.items() if key.rsplit("_", 1)[0] in task_ids}
        return dict.fromkeys(self.runs.get(dag_id, []) if run_ids is None else run_ids, mine)


def context(ti: Ti | None = None, **params: Any) -> Any:
    """Return the part of a task's context that operators use."""
    given = {
        "release": None,
        "replicas": None,
        "replace": "all",
        "slots": [],
        "dry_run": False,
        "reason": None,
        "force": False,
        **params,
    }
    ti = ti or Ti()
    run = SimpleNamespace(dag_id=ti.dag_id, run_id=ti.run_id)
    return {"ti": ti, "params": given, "dag_run": run}


Make = Callable[[], WaitOperator]


def run(make: Make, with_context: Any = None) -> Any:
    """Run a task to its end. Each deferral goes on in a new operator, as in a new process."""
    ctx = with_context or context()
    task, method, kwargs = make(), "execute", dict[str, Any]()
    while True:
        try:
            return getattr(task, method)(ctx, **kwargs)
        except TaskDeferred as deferred:
            event = asyncio.run(_event(stored(deferred.trigger)))
            method, kwargs = deferred.method_name, {"event": event}
        task = make()


def roll_back(rollout: dict[str, Any], deferrable: bool = True) -> Make:
    """Return what makes the task that undoes a rollout, after `join_balancer` and the leave."""

    def make() -> RollBack:
        with DAG("rollout_shop", schedule=None):
            join_balancer = EmptyOperator(task_id="join_balancer")
            leave_balancer = EmptyOperator(task_id="leave_balancer")
            retire_identity = EmptyOperator(task_id="retire_identity")
            task = RollBack(task_id="t", rollout=rollout, deferrable=deferrable, retries=5)
            join_balancer >> leave_balancer >> [task, retire_identity]
            join_balancer >> task
        return task

    return make


def killed_while_waiting(make: Make, with_context: Any = None, after: str = "") -> None:
    """Run a task up to its first wait, or to the one in the method *after*, and lose it there."""
    ctx = with_context or context()
    try:
        if not after:
            make().execute(ctx)
        else:
            getattr(make(), after)(ctx, done("").to_event())
    except TaskDeferred:
        return
    raise AssertionError("it does not wait")


def stored(trigger: Any) -> WaitTrigger:
    """Return the trigger as it comes back from the database."""
    path, kwargs = trigger.serialize()
    back: WaitTrigger = import_string(path)(**kwargs)
    return back


async def _event(trigger: WaitTrigger) -> dict[str, Any]:
    (event,) = [event async for event in trigger.run()]
    payload: dict[str, Any] = event.payload
    return payload
