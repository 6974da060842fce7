"""Give a VM its name."""

from __future__ import annotations

import pytest

from snowmelt.errors import Conflict, Unreachable
from snowmelt.operators.names import PublishDns
from tests.plugins.snowmelt.kit import NEW, Make, planned, run, service, vm_of
from tests.plugins.snowmelt.world import FakeWorld

FQDN = f"shop-{NEW}-0.lab.test"


@pytest.fixture
def publish(world: FakeWorld) -> Make:
    rollout = planned(service())
    made = {"vm_id": 0, "address": "198.18.0.100"}
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
