"""Whole runs of a rolling rollout, on a cloud in memory."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.definitions import dag as airflow_dag
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState

from snowmelt.triggers.base import WaitTrigger
from snowmelt.triggers.turn import MyTurnTrigger
from tests.dags.conftest import DAGS, Catalogue
from tests.plugins.snowmelt.kit import OLD, serving
from tests.plugins.snowmelt.world import FakeWorld, Guest

# Airflow's own in-process API server warns of what is to come in its libraries
pytestmark = [
    pytest.mark.runs,
    pytest.mark.usefixtures("database"),
    pytest.mark.filterwarnings("ignore"),
]


class _NotYetError(BaseException):
    """A task waits for its turn: `dag.test()` runs one at a time, so others have to go first."""


@pytest.fixture
def turns(world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a task that waits for its turn give way to those it waits for, as with a triggerer."""
    run_task: Any = airflow_dag._run_task
    inline: Any = airflow_dag._run_inline_trigger
    asked: Counter[tuple[int, int]] = Counter()

    def give_way(trigger: WaitTrigger, ti: Any) -> Any:
        event = inline(trigger, ti)
        if event.payload["status"] == "pending":
            raise _NotYetError
        return event

    def run(*, ti: Any, **kwargs: Any) -> Any:
        # to ask again costs a whole task: only when a VM has gone, or nothing else happens any more
        gone = (ti.map_index, sum("terminate" in change for change in world.story))
        asked[gone] += 1
        if ti.task_id.endswith("create_vm") and asked[gone] % 15 != 1:
            return world.clock.pass_s(1)
        try:
            return run_task(ti=ti, **kwargs)
        except _NotYetError:
            with create_session() as session:
                ti.state, ti.next_method, ti.next_kwargs = TaskInstanceState.SCHEDULED, None, None
                session.add(ti)
            return None

    monkeypatch.setattr(airflow_dag, "_run_task", run)
    monkeypatch.setattr(airflow_dag, "_run_inline_trigger", give_way)
    monkeypatch.setattr(MyTurnTrigger, "wait", MyTurnTrigger._look)
    # `dag.test()` sleeps 1 s whenever it finds nothing to start, such as before it maps a group
    monkeypatch.setattr(time, "sleep", lambda _: None)


class Story(list[str]):
    """The changes of a world, each judged as it happens, and what follows from some of them."""

    def __init__(self, world: FakeWorld, least: int, most: int) -> None:
        super().__init__()
        self.world, self.least, self.most = world, least, most
        self.then: dict[str, Any] = {}

    def append(self, change: str) -> None:
        super().append(change)
        members = self.world.pools["shop"].values()
        up = sum(m.admin == "ready" and m.up_at is not None for m in members)
        there = sum(vm.phase != "done" for vm in self.world.vms.values())
        assert up >= self.least, f"{change}: only {up} serve"
        assert there <= self.most, f"{change}: {there} VMs"
        self.then.pop(change, lambda: None)()

    def of(self, *verbs: str) -> list[str]:
        """Return what was done to which slot, for some verbs: "create 0"."""
        said = (change.split() for change in self)
        return [f"{w[0]} {w[-1].rsplit('-', 1)[-1]}" for w in said if w[0] in verbs]


def story(world: FakeWorld) -> Story:
    """Return what happened so far."""
    assert isinstance(world.story, Story)
    return world.story


@pytest.fixture
def rolling(world: FakeWorld, catalogue: Catalogue, turns: None) -> Any:
    """Return what runs the DAG of `shop` at some number of old VMs; it returns the states."""
    states: Counter[str] = Counter()

    def run(old: int = 2, least: int | None = None, most: int | None = None, **params: Any) -> Any:
        changes = {"replicas": old, "surge": 1, **params.pop("service", {})}
        catalogue("shop", strategy="rolling", **changes)
        for slot in range(old):
            serving(world, f"shop-{OLD}-{slot}")
        told = story(world)
        told.least, told.most = old if least is None else least, most or old + 1
        told.clear()
        dag = DagBag(str(DAGS / "rollout.py")).dags["rollout_shop"]
        for task in dag.tasks:
            task.retries = 0  # what they do is Airflow's business; here they would only take time
        dag_run = dag.test(run_conf=params)
        states.update(f"{ti.task_id} {ti.state}" for ti in dag_run.get_task_instances())
        states["run"] = dag_run.state
        return states

    world.story = Story(world, 0, 99)
    return run


def releases(world: FakeWorld) -> list[str]:
    """Return the releases of the VMs that take new sessions."""
    by_name = {vm.spec.name: vm.spec.release for vm in world.vms.values() if vm.phase == "running"}
    return sorted(by_name[n] for n, m in world.pools["shop"].items() if m.admin == "ready")


def test_each_vm_is_whole_and_its_old_one_gone_before_the_next_one_starts(
    world: FakeWorld, rolling: Any
) -> None:
    states = rolling(2, release="1.1")

    assert states.pop("run") == "success"
    assert sum(states.values()) <= 12 * 2
    assert releases(world) == ["1.1", "1.1"]
    assert story(world).of("create", "join", "drain", "terminate") == [
        f"{verb} {slot}" for slot in (0, 1) for verb in ("create", "join", "drain", "terminate")
    ]
    for known in (world.certificates, world.nodes, world.names, world.hosts):
        assert len(known) == 2


def test_a_failure_in_the_middle_stops_the_window_and_the_rest_serve_on(
    world: FakeWorld, rolling: Any
) -> None:
    def break_it() -> None:
        world.guests["1.3"] = Guest(puppet="failed", failures=("Package[shop-app]: no candidate",))

    story(world).then[f"terminate shop-{OLD}-0"] = break_it
    states = rolling(3, release="1.3")

    assert states["run"] == "failed"
    assert releases(world) == ["1.0", "1.0", "1.3"]
    assert len([vm for vm in world.vms.values() if vm.phase != "done"]) == 3
    assert story(world).of("create") == ["create 0", "create 1"]
    assert states["replace.enrol_in_puppet failed"] == 1
    assert states["roll_back success"] == 1
    for known in (world.certificates, world.names, world.hosts):
        assert len(known) == 3


def test_a_canary_that_fails_is_taken_back_and_nothing_else_begins(
    world: FakeWorld, rolling: Any
) -> None:
    world.guests["1.4"] = Guest(error_share=0.02)
    states = rolling(2, release="1.4")

    assert states["run"] == "failed"
    assert releases(world) == ["1.0", "1.0"]
    assert story(world).of("create") == ["create 0"]
    assert states["replace.watch failed"] == 1
    assert not [name for name in world.names if OLD not in name]


def test_without_surge_an_old_vm_goes_first(world: FakeWorld, rolling: Any) -> None:
    states = rolling(
        2, least=1, most=2, release="1.1", service={"surge": None, "max_unavailable": 1}
    )

    assert states["run"] == "success"
    assert releases(world) == ["1.1", "1.1"]
    assert story(world).of("create", "terminate") == [
        "terminate 0",
        "create 0",
        "terminate 1",
        "create 1",
    ]


def test_a_dry_run_changes_nothing(world: FakeWorld, rolling: Any) -> None:
    serving(world, f"shop-{OLD}-0")
    before = world.everything()

    assert rolling(0, service={"replicas": 1}, release="1.1", dry_run=True)["run"] == "success"
    assert {**world.everything(), "story": []} == {**before, "story": []}
