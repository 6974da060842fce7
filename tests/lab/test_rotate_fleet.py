"""A day of the fleet: one rotation under load, killed half way, and what can be seen of it.

The shop asks accounts about each new session, so its clients notice when those are away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from lab.demo import world as worlds
from tests.lab.fleet import FIND, PLANT, PLANTED, Fleet, entry, inside, shut, verify
from tests.lab.service import most_at_once, signed_more_than_once

pytestmark = [pytest.mark.lab, pytest.mark.timeout(2400)]
Vms = dict[str, tuple[worlds.Vm, ...]]


@dataclass
class Day:
    """What was before, what came after, and what clients counted meanwhile."""

    day: str
    before: Vms
    after: Vms
    world: worlds.World
    planted: worlds.Vm
    state: str
    run_id: str

    @property
    def old(self) -> list[worlds.Vm]:
        return [vm for vms in self.before.values() for vm in vms]

    @property
    def new(self) -> list[worlds.Vm]:
        return [vm for vms in self.after.values() for vm in vms]


@pytest.fixture(scope="module")
def rotated(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Day:
    """The day: two services at once, and `rotate` killed when one has ended."""
    before, day = fleet.vms(), fleet.free_day()
    planted = before["worker"][0]
    inside(planted, PLANT)
    assert inside(planted, FIND).splitlines() == PLANTED
    inside(planted, "systemctl start snowmelt-inventory.service")
    with fleet.under_load(tmp_path_factory.mktemp("load") / "totals.json"):
        run_id = fleet.airflow.trigger("rotate_fleet", at_once=2, day=day)
        fleet.kill_rotate_half_way(run_id, day)
        state = fleet.airflow.wait_for_run("rotate_fleet", run_id, 1200)
    return Day(
        day=day,
        before=before,
        after=fleet.vms(),
        world=worlds.snapshot(),
        planted=planted,
        state=state,
        run_id=run_id,
    )


def test_every_vm_is_replaced_and_no_client_notices(rotated: Day, fleet: Fleet) -> None:
    assert rotated.state == "success", fleet.log(rotated.run_id, "write_proof")
    assert {vm.name for vm in rotated.old}.isdisjoint(vm.name for vm in rotated.new)
    assert [len(vms) for vms in rotated.after.values()] == [2, 2, 2]
    assert worlds.traces(rotated.world, rotated.old) == []
    assert signed_more_than_once() == []

    for vm in rotated.after["shop"]:
        assert "accounts_url = http" in inside(vm, "cat /etc/shop-app/site.conf")


def test_each_service_moves_by_its_own_strategy(rotated: Day) -> None:
    most = {
        name: most_at_once([*rotated.before[name], *rotated.after[name]]) for name in rotated.before
    }
    assert most == {"shop": 4, "accounts": 3, "worker": 4}


def test_killed_half_way_it_started_each_rollout_once(rotated: Day, fleet: Fleet) -> None:
    names = [f"rotation__{rotated.day}__{each.name}" for each in fleet.services]

    assert fleet.rollouts(rotated.day) == dict.fromkeys(names, "success")
    assert fleet.task(rotated.run_id, "rotate").try_number == 2


def test_what_was_planted_is_gone_and_the_package_was_reported(rotated: Day, fleet: Fleet) -> None:
    assert [inside(vm, FIND) for vm in rotated.new] == [""] * 6

    told = {vm["name"]: vm["differences"] for vm in fleet.proof(rotated.day)["vms"]}
    heir = next(
        vm.name for vm in rotated.after["worker"] if vm.name[-1] == rotated.planted.name[-1]
    )
    assert told.pop(heir) == ["package planted 6.6: on the old VM only"]
    assert set(map(tuple, told.values())) == {()}


def test_the_proof_has_the_evidence_of_each_vm(rotated: Day, fleet: Fleet) -> None:
    proof = fleet.proof(rotated.day)
    known = {vm.name: vm for vm in rotated.old}

    assert proof["objections"] == []
    assert {vm["name"]: vm["vm_id"] for vm in proof["vms"]} == {
        vm.name: vm.vm_id for vm in rotated.new
    }
    for vm in proof["vms"]:
        assert vm["predecessor_vm_id"] == known.pop(vm["predecessor"]).vm_id
        assert vm["run"]["run_id"] == f"rotation__{rotated.day}__{vm['service']}"
        assert vm["certificate"]
        assert (vm["puppet"]["status"], vm["monitoring"]["well"]) == ("changed", True)
        assert vm["puppet"]["report_hash"]
        assert vm["compared"]
    assert known == {}


def test_the_proof_knows_when_members_came_and_went(rotated: Day, fleet: Fleet) -> None:
    pools = [(vm["service"], vm["balancer"]) for vm in fleet.proof(rotated.day)["vms"]]

    assert [pool for service, pool in pools if service == "worker"] == [None, None]
    for service, pool in pools:
        if service != "worker":
            assert (pool["pool"], pool["client_failures"]) == (service, 0)
            assert pool["joined"] < pool["predecessor_left"]


def test_started_again_on_the_same_day_it_builds_nothing(rotated: Day, fleet: Fleet) -> None:
    state, run_id = fleet.rotate(300, day=rotated.day)

    assert state == "success", fleet.log(run_id, "write_proof")
    assert fleet.vms() == rotated.after


def test_a_changed_byte_in_any_days_proof_is_named(
    rotated: Day, fleet: Fleet, tmp_path: Path
) -> None:
    """The day after, on which the only service of the run is left alone: then there is a chain."""
    after = (date.fromisoformat(rotated.day) + timedelta(days=1)).isoformat()
    with entry("worker", maintenance=shut("stocktaking")):
        state, run_id = fleet.rotate(300, day=after, services=["worker"])
    assert state == "success", fleet.log(run_id, "write_proof")
    (exception,) = fleet.proof(after)["exceptions"]
    assert (exception["service"], exception["reason"]) == ("worker", "stocktaking")
    chain = fleet.chain(tmp_path / "proof")
    code, told = verify(chain)
    assert (code, told.splitlines()[0].partition(": ")[2]) == (0, "nothing was altered")
    assert {rotated.day, after} <= {file.stem for file in chain.glob("*.json")}

    for file in [*chain.glob("*.json"), *chain.glob("*.html")]:
        whole = file.read_bytes()
        for at in range(0, len(whole), len(whole) // 5):
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            code, told = verify(chain)
            assert code == 1
            assert f"altered: {file.stem}: " in told
        file.write_bytes(whole)
    assert verify(chain)[0] == 0
