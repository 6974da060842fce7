"""Take away what other systems know of an old VM."""

from __future__ import annotations

from typing import Any

import pytest

from snowmelt.errors import Busy, Unreachable
from snowmelt.operators.identity import RetireIdentity
from tests.plugins.snowmelt.kit import (
    NEW,
    OLD,
    Make,
    planned,
    run,
    service,
    serving,
    two_old,
    vm_of,
)
from tests.plugins.snowmelt.world import FakeMember, FakeWorld

FQDN, SISTER = f"shop-{OLD}-0.lab.test", f"shop-{OLD}-1.lab.test"


def switched(world: FakeWorld, **changes: Any) -> dict[str, Any]:
    """Plan the end of two old VMs, let the new ones take over, and the first leave the pool."""
    two_old(world)
    rollout: dict[str, Any] = planned(service(**changes))
    for slot in (0, 1):
        serving(world, f"shop-{NEW}-{slot}")
    del world.pools["shop"][f"shop-{OLD}-0"]
    return rollout


def retiring(rollout: dict[str, Any]) -> Make:
    return lambda: RetireIdentity(task_id="t", rollout=rollout, vm=vm_of(rollout, "old"))


@pytest.fixture
def retire(world: FakeWorld) -> Make:
    return retiring(switched(world))


def known(world: FakeWorld) -> list[Any]:
    parts = (world.hosts, world.certificates, world.nodes, world.names)
    return [sorted(name for name in part if OLD in name) for part in parts]


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
    rollout = switched(world, firewall={"group": "web_vms"})
    gone, stays = (vm for vm in world.vms.values() if OLD in vm.spec.name)
    world.groups["web_vms"] = {
        gone.address: FQDN,
        "198.18.0.7": FQDN,  # what another try left, before the VM got its last address
        stays.address: SISTER,
        "198.18.0.9": "made by hand",
    }
    run(retiring(rollout))

    assert world.groups["web_vms"] == {stays.address: SISTER, "198.18.0.9": "made by hand"}
    assert world.story.index(f"shut out {FQDN}") < world.story.index(f"unpublish {FQDN}")


def test_a_service_that_is_not_monitored(world: FakeWorld) -> None:
    run(retiring(switched(world, monitoring=None, balancer=None)))

    assert world.calls["remove_host"] == 0
    assert FQDN not in world.names


def test_a_vm_that_took_traffic_again_keeps_all_it_has(world: FakeWorld) -> None:
    """It was rolled back, and somebody clears this step a day later."""
    rollout = switched(world)
    world.pools["shop"][f"shop-{OLD}-0"] = FakeMember(address="198.18.0.1", port=8080)
    before = known(world)

    with pytest.raises(Busy, match="in pool shop: drain it first"):
        run(retiring(rollout))
    assert known(world) == before != [[SISTER]] * 4


def test_a_vm_without_a_successor_keeps_all_it_has(world: FakeWorld) -> None:
    """The same behind no balancer, where nothing but the new ones says who serves."""
    rollout = switched(world, balancer=None)
    for vm in world.vms.values():
        vm.phase = "done" if NEW in vm.spec.name else vm.phase
    before = known(world)

    with pytest.raises(Busy, match="others serve < 2 needed"):
        run(retiring(rollout))
    assert known(world) == before != [[SISTER]] * 4
