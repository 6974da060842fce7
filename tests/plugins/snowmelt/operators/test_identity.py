"""Take away what other systems know of an old VM."""

from __future__ import annotations

from typing import Any

import pytest

from snowmelt.errors import Unreachable
from snowmelt.operators.identity import RetireIdentity
from tests.plugins.snowmelt.kit import OLD, Make, planned, run, service, two_old, vm_of
from tests.plugins.snowmelt.world import FakeWorld

FQDN, SISTER = f"shop-{OLD}-0.lab.test", f"shop-{OLD}-1.lab.test"


@pytest.fixture
def retire(world: FakeWorld) -> Make:
    two_old(world)
    rollout = planned(service())
    return lambda: RetireIdentity(task_id="t", rollout=rollout, vm=vm_of(rollout, "old"))


def known(world: FakeWorld) -> list[Any]:
    return [sorted(s) for s in (world.hosts, world.certificates, world.nodes, world.names)]


def test_nothing_is_left_of_the_vm_and_all_of_its_sister(world: FakeWorld, retire: Make) -> None:
    run(retire)

    assert known(world) == [[SISTER]] * 4


def test_monitoring_goes_first_and_the_names_last(world: FakeWorld, retire: Make) -> None:
    run(retire)

    assert world.story == [
        f"unmonitor {FQDN}",
        f"delete certificate of {FQDN}",
        f"deactivate {FQDN}",
        f"unpublish {FQDN}",
    ]


def test_a_second_run_changes_nothing(world: FakeWorld, retire: Make) -> None:
    run(retire)
    before = world.everything()
    run(retire)

    assert world.everything() == before


@pytest.mark.parametrize(
    "verb", ["remove_host", "remove_certificate", "deactivate", "remove_address"]
)
@pytest.mark.parametrize("lost", [True, False], ids=["answer lost", "refused"])
def test_it_goes_on_where_a_try_broke_off(
    world: FakeWorld, retire: Make, verb: str, lost: bool
) -> None:
    (world.lose_answer if lost else world.fail)(verb, Unreachable("no answer"))
    with pytest.raises(Unreachable):
        run(retire)
    run(retire)

    assert known(world) == [[SISTER]] * 4
    assert len(world.story) == 4


def test_nobody_is_let_in_any_more_to_the_address_that_goes(world: FakeWorld) -> None:
    gone, stays = two_old(world)
    world.groups["web_vms"] = {
        gone.address: FQDN,
        "198.18.0.7": FQDN,  # what another try left, before the VM got its last address
        stays.address: SISTER,
        "198.18.0.9": "made by hand",
    }
    rollout = planned(service(firewall={"group": "web_vms"}))
    run(lambda: RetireIdentity(task_id="t", rollout=rollout, vm=vm_of(rollout, "old")))

    assert world.groups["web_vms"] == {stays.address: SISTER, "198.18.0.9": "made by hand"}
    assert world.story.index(f"shut out {FQDN}") < world.story.index(f"unpublish {FQDN}")


def test_a_service_that_is_not_monitored(world: FakeWorld) -> None:
    two_old(world)
    rollout = planned(service(monitoring=None, balancer=None))
    run(lambda: RetireIdentity(task_id="t", rollout=rollout, vm=vm_of(rollout, "old")))

    assert world.calls["remove_host"] == 0
    assert FQDN not in world.names
