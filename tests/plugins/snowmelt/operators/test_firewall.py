"""Let a VM's users in to it."""

from __future__ import annotations

import pytest

from snowmelt.errors import Conflict, Missing, Unreachable
from snowmelt.operators.firewall import OpenFirewall
from tests.plugins.snowmelt.kit import NEW, Make, planned, run, service, vm_of
from tests.plugins.snowmelt.world import FakeWorld

FQDN, ADDRESS = f"shop-{NEW}-0.lab.test", "198.18.0.100"


def opening(group: str = "web_vms") -> Make:
    rollout = planned(service(firewall={"group": group}))
    made = {"vm_id": 0, "address": ADDRESS}
    return lambda: OpenFirewall(task_id="t", rollout=rollout, vm=vm_of(rollout, "new"), made=made)


def test_the_address_is_let_in_under_the_name_of_the_vm(world: FakeWorld) -> None:
    run(opening())

    assert world.groups == {"web_vms": {ADDRESS: FQDN}}


def test_a_second_run_changes_nothing(world: FakeWorld) -> None:
    run(opening())
    before = world.everything()
    run(opening())

    assert world.everything() == before


def test_the_answer_was_lost_after_it_was_let_in(world: FakeWorld) -> None:
    world.lose_answer("ensure_entry", Unreachable("no answer"))
    with pytest.raises(Unreachable):
        run(opening())
    run(opening())

    assert world.story == [f"let in {FQDN}"]


def test_what_was_written_by_hand_is_left_alone(world: FakeWorld) -> None:
    world.groups["web_vms"][ADDRESS] = "the old shop, ask Bob"

    with pytest.raises(Conflict, match="ask Bob"):
        run(opening())
    assert world.groups == {"web_vms": {ADDRESS: "the old shop, ask Bob"}}


def test_a_group_that_nobody_made_is_not_made(world: FakeWorld) -> None:
    with pytest.raises(Missing, match="db_vms"):
        run(opening("db_vms"))
    assert "db_vms" not in world.groups
