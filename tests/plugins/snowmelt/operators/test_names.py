"""Give a VM its name."""

from __future__ import annotations

import pytest

from include.facts import VmPhase
from snowmelt.errors import Conflict, Refused, Unreachable
from snowmelt.operators.names import PublishDns
from tests.plugins.snowmelt.kit import NEW, Make, planned, run, service, spec, vm_of
from tests.plugins.snowmelt.world import FakeWorld

FQDN = f"shop-{NEW}-0.lab.test"


@pytest.fixture
def publish(world: FakeWorld) -> Make:
    rollout = planned(service())
    vm = world.add_vm(spec(f"shop-{NEW}-0", "1.0"), phase="running")
    made = {"vm_id": vm.vm_id, "address": vm.address}
    return lambda: PublishDns(task_id="t", rollout=rollout, vm=vm_of(rollout, "new"), made=made)


def test_the_name_gets_the_address_of_the_vm(world: FakeWorld, publish: Make) -> None:
    run(publish)

    assert world.names == {FQDN: ("198.18.0.100", 60)}


def test_a_second_run_changes_nothing(world: FakeWorld, publish: Make) -> None:
    run(publish)
    before = world.everything()
    run(publish)

    assert world.everything() == before


def test_the_answer_was_lost_after_the_name_was_published(world: FakeWorld, publish: Make) -> None:
    world.lose_answer("ensure_address", Unreachable("no answer"))
    with pytest.raises(Unreachable):
        run(publish)
    run(publish)

    assert world.story == [f"publish {FQDN}"]


def test_a_name_that_is_somebody_elses_is_left_alone(world: FakeWorld, publish: Make) -> None:
    world.names[FQDN] = ("192.0.2.1", 60)

    with pytest.raises(Conflict, match=r"192\.0\.2\.1"):
        run(publish)
    assert world.names == {FQDN: ("192.0.2.1", 60)}


@pytest.mark.parametrize("phase", ["done", "stopping"])
def test_a_vm_that_was_rolled_back_gets_no_name_any_more(
    world: FakeWorld, publish: Make, phase: VmPhase
) -> None:
    """Somebody cleared this step alone."""
    world.vms[0].phase, world.vms[0].since = phase, world.clock.now

    with pytest.raises(Refused, match=f"shop-{NEW}-0 is gone: .* Clear the whole run"):
        run(publish)
    assert world.names == {}


def test_its_successor_of_that_name_is_not_given_its_address(
    world: FakeWorld, publish: Make
) -> None:
    """The run was cleared from `create_vm` on, and an old try of this step goes on."""
    world.vms[0].phase = "done"
    world.add_vm(spec(f"shop-{NEW}-0", "1.0"), phase="running")

    with pytest.raises(Refused, match="is gone"):
        run(publish)
    assert world.names == {}


def test_whether_it_is_there_costs_one_call(world: FakeWorld, publish: Make) -> None:
    world.calls.clear()
    run(publish)

    assert world.calls == {"find": 1, "ensure_address": 1}
