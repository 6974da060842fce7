"""All steps of a rollout in their order, while calls fail and answers get lost.

No Airflow here, only the operators: each try starts anew, as after a `kill -9`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from include.planner import parse_name
from snowmelt.errors import Busy, Refused, SnowmeltError, Unreachable
from snowmelt.operators.base import WaitOperator
from snowmelt.operators.enrolment import EnrolInPuppet
from snowmelt.operators.identity import RetireIdentity
from snowmelt.operators.monitoring import MonitorVm
from snowmelt.operators.names import PublishDns
from snowmelt.operators.sweep import ClearLeftovers
from snowmelt.operators.traffic import Drain, JoinBalancer, LeaveBalancer
from snowmelt.operators.verify import Verify
from snowmelt.operators.vm import CreateVm, TerminateVm
from snowmelt.operators.watch import Watch
from tests.plugins.snowmelt import kit
from tests.plugins.snowmelt.kit import OLD, Ti, context, planned, service, two_old
from tests.plugins.snowmelt.world import FakeWorld, Guest

VERBS = (
    *("vms", "vms_named", "vm_states", "find", "ensure_vm", "terminate"),
    *("members", "ensure_member", "drain", "undrain", "remove_member"),
    *("certificates", "request", "certificate", "ensure_signed", "remove_certificate"),
    *("last_reports", "nodes", "deactivate"),
    *("ensure_address", "remove_address", "addresses", "lookup"),
    *("ensure_host", "check_now", "health"),
    *("hosts", "remove_host"),
)
TRIES = 12  # more than the faults that one step can meet
SEEDS = range(25)


class Laws:
    """What has to hold after every change."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def __call__(self, change: str) -> None:
        members = self.world.pools["shop"]
        serving = [n for n, m in members.items() if m.admin == "ready" and m.up_at is not None]
        alive = [vm for vm in self.world.vms.values() if vm.phase != "done"]
        names = [vm.spec.name for vm in alive]

        assert len(serving) >= 2, f"{change}: only {serving} serve"
        assert len(alive) <= 4, f"{change}: {len(alive)} VMs"
        assert len(names) == len(set(names)), f"{change}: twins"
        for name in members:
            assert name in names, f"{change}: {name} is a member without a VM"
            for known in (self.world.hosts, self.world.names, self.world.certificates):
                assert f"{name}.lab.test" in known, f"{change}: {name} is a member, half known"
        verb, name = change.split()[0], change.split()[-1]
        assert not (verb == "terminate" and name in members), f"{change}: it is in the pool"


class Story(list[str]):
    """The changes of a world, each judged as it happens."""

    def __init__(self, judge: Callable[[str], None]) -> None:
        super().__init__()
        self.judge = judge

    def append(self, change: str) -> None:
        super().append(change)
        self.judge(change)


@pytest.fixture
def lawful(world: FakeWorld) -> FakeWorld:
    two_old(world)
    world.story = Story(Laws(world))
    return world


def trouble(world: FakeWorld, dice: Random) -> None:
    """Let some calls fail, before or after their effect."""
    for verb in dice.sample(VERBS, k=8):
        error = dice.choice([Unreachable("no answer"), Busy("not now")])
        dice.choice([world.fail, world.lose_answer])(verb, error)


def tried(make: Callable[[], WaitOperator], ctx: Any = None) -> Any:
    """Run a step as Airflow does: again after what may pass, not after what is refused."""
    for attempt in range(TRIES):
        try:
            return kit.run(make, ctx)
        except Refused:
            raise
        except SnowmeltError:
            if attempt == TRIES - 1:
                raise
    return None


class Rollout:
    """The graph of the DAG, one step after the other."""

    def __init__(self, release: str) -> None:
        self.rollout = planned(service(), release=release)

    def step(self, kind: type[Any], **arguments: Any) -> Any:
        return tried(lambda: kind(task_id="t", rollout=self.rollout, **arguments))

    def forward(self) -> None:
        self.step(ClearLeftovers)
        for vm in self.rollout["plan"]["new"]:
            self.bring_up(vm)
            if vm["canary"]:
                self.step(Watch, stage="canary")
        old = self.rollout["plan"]["old"]
        for vm in old:
            self.step(Drain, vm=vm)
        self.step(Watch, stage="drained")
        for kind in (LeaveBalancer, RetireIdentity, TerminateVm):
            for vm in old:
                self.step(kind, vm=vm)
        self.step(Verify)

    def bring_up(self, vm: dict[str, Any]) -> None:
        made = self.step(CreateVm, vm=vm)
        self.step(PublishDns, vm=vm, made=made)
        self.step(EnrolInPuppet, vm=vm)
        self.step(MonitorVm, vm=vm, made=made)
        self.step(JoinBalancer, vm=vm, made=made)

    def back(self) -> None:
        tried(kit.roll_back(self.rollout), context(Ti(states=kit.FAILED)))


def rollouts_seen(world: FakeWorld) -> set[str]:
    """Return the rollouts of which any system knows anything."""
    known = [vm.spec.name for vm in world.vms.values() if vm.phase != "done"]
    known += list(world.pools["shop"])
    for names in (world.certificates, world.requests, world.nodes, world.names, world.hosts):
        known += [name.removesuffix(".lab.test") for name in names]
    return {parsed.rollout for name in known if (parsed := parse_name(name))}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_good_release_gets_through_whatever_fails_on_the_way(
    lawful: FakeWorld, seed: int
) -> None:
    rollout = Rollout("1.1")
    trouble(lawful, Random(seed))
    rollout.forward()

    assert rollouts_seen(lawful) == {kit.NEW}
    assert len(lawful.pools["shop"]) == 2
    signed = [told for told in lawful.story if told.startswith("sign ")]
    assert len(signed) == len(set(signed)) == 2


BROKEN = {
    "its package does not install": Guest(puppet="failed", failures=("no candidate",)),
    "its health check fails": Guest(healthy=False),
    "it answers with errors under load": Guest(error_share=0.02),
    "it never asks for a certificate": Guest(asks=False),
    "it has no token": Guest(token=lambda _: None),
    "it does not boot": Guest(boots=False),
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("seed", SEEDS[:5])
def test_a_broken_release_leaves_no_trace_and_the_old_one_serves_on(
    lawful: FakeWorld, broken: str, seed: int
) -> None:
    rollout = Rollout("1.2")
    lawful.guests["1.2"] = BROKEN[broken]
    trouble(lawful, Random(seed))
    with pytest.raises(SnowmeltError):
        rollout.forward()
    rollout.back()

    assert rollouts_seen(lawful) == {OLD}
    assert [m.admin for m in lawful.pools["shop"].values()] == ["ready", "ready"]
