"""What an audit found is mended in place, and what is not ours is left alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.audit import Finding
from include.catalogue import Service
from include.verdict import Outcome
from snowmelt.errors import Conflict, Refused, SnowmeltError, Unreachable
from snowmelt.mend import mend
from snowmelt.operators.audit import Brake
from tests.plugins.snowmelt.auditing import (
    FIRST,
    FQDN,
    GONE,
    SECOND,
    asked,
    audit,
    by_hand,
    catalogue,
    heal,
    know,
    leave_node,
    leave_traces,
    make_by_hand,
    repair,
    things,
)
from tests.plugins.snowmelt.kit import service, serving, spec, two_old
from tests.plugins.snowmelt.world import FakeRun, FakeWorld

__all__ = ["catalogue"]
pytestmark = pytest.mark.usefixtures("catalogue")


def test_all_of_them_are_repaired_and_nothing_of_a_living_vm_goes(world: FakeWorld) -> None:
    two_old(world)
    whole = world.everything()
    leave_traces(world)
    repair()
    world.clock.pass_s(5)
    world.tick()
    after = world.everything()

    for system in ("requests", "certificates", "nodes", "names", "hosts"):
        assert after[system] == whole[system], system
    assert set(after["pools"]["shop"]) == {FIRST, SECOND}
    assert world.pointers == {}
    assert world.unpointed == set()
    assert [vm.phase for vm in world.vms.values()] == ["running", "running", "done", "done"]
    assert audit()["findings"] == []


def test_a_second_repair_finds_nothing_to_do(world: FakeWorld) -> None:
    two_old(world)
    leave_traces(world)
    repair()
    world.clock.pass_s(5)
    story = list(world.story)

    assert repair() == []
    assert world.story == story


def test_what_people_made_is_listed_at_most_and_never_touched(world: FakeWorld) -> None:
    two_old(world)
    make_by_hand(world)
    before = by_hand(world)
    leave_traces(world)
    found = audit()
    repair()

    assert by_hand(world) == before
    assert "DNS: shop-staging-0.lab.test = 198.18.0.81" in things(found, safe=False)
    assert "Puppet CA: certificate of shop-worker2-0.lab.test" in things(found, safe=False)
    assert "OpenNebula: lease 198.18.0.150 of network lab" in things(found, safe=False)


def test_drift_that_needs_no_new_vm_is_mended_in_place(world: FakeWorld) -> None:
    first, second = two_old(world)
    whole = world.everything()
    del world.names[f"{FIRST}.lab.test"]
    world.names[f"{SECOND}.lab.test"] = ("198.18.0.7", 60)
    del world.hosts[f"{FIRST}.lab.test"]
    world.hosts[f"{SECOND}.lab.test"].address = "198.18.0.7"
    repair()

    assert world.names == whole["names"]
    assert {n: h.address for n, h in world.hosts.items()} == {
        f"{FIRST}.lab.test": first.address,
        f"{SECOND}.lab.test": second.address,
    }
    assert audit()["findings"] == []


def test_a_missing_pointer_comes_back(world: FakeWorld) -> None:
    two_old(world)
    world.unpointed.add(f"{FIRST}.lab.test")
    repair()

    assert world.unpointed == set()


def test_without_being_asked_nothing_is_repaired(world: FakeWorld) -> None:
    two_old(world)
    leave_traces(world)
    before = world.everything()

    with pytest.raises(AirflowSkipException, match="preview"):
        repair(repair=False)
    with pytest.raises(AirflowSkipException):
        heal(repair=False)
    assert world.everything() == before
    assert not world.runs


def test_what_was_seen_a_moment_ago_only_is_left_alone(world: FakeWorld) -> None:
    leave_node(world)
    audit()
    world.clock.pass_s(14 * 60)

    assert repair(grace=15) == []
    assert FQDN in world.nodes


def test_what_an_audit_saw_longer_ago_than_the_grace_is_mended(world: FakeWorld) -> None:
    leave_node(world)
    audit()
    world.clock.pass_s(16 * 60)
    audit()

    assert len(repair(grace=15)) == 1
    assert FQDN not in world.nodes


def test_nothing_is_touched_while_a_rollout_of_the_service_runs_or_waits(world: FakeWorld) -> None:
    two_old(world)
    leave_traces(world)
    before = world.everything()
    for state in ("running", "queued"):
        world.runs["rollout_shop", "x"] = FakeRun(conf={}, state=state)

        assert repair() == []
    assert world.everything() == before


def test_a_rollout_that_begins_while_others_are_mended_is_left_alone(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of findings, or a system that hangs, take minutes."""
    leave_node(world)
    world.nodes.add("shop-q2w4e7r-1.lab.test")

    def and_begin(service: Service, found: Finding) -> Outcome:
        world.runs["rollout_shop", "x"] = FakeRun(conf={})
        return mend(service, found)

    monkeypatch.setattr("snowmelt.operators.repair.mend", and_begin)

    assert len(repair()) == 1
    assert len([node for node in world.nodes if "q2w4e7r" in node]) == 1


def test_only_the_services_that_were_asked_for_are_mended(
    world: FakeWorld, catalogue: dict[str, Service]
) -> None:
    two_old(world)
    catalogue["blog"] = service(name="blog", balancer=None, monitoring=None, replicas=0)
    know(world, "shop-q2w4e7r", "blog-q2w4e7r")
    world.nodes |= {FQDN, "blog-q2w4e7r-0.lab.test"}
    repair(services=["blog"])

    assert FQDN in world.nodes
    assert "blog-q2w4e7r-0.lab.test" not in world.nodes


def test_one_system_that_refuses_does_not_keep_the_others_from_being_mended(
    world: FakeWorld,
) -> None:
    two_old(world)
    leave_traces(world)
    world.fail("remove_host", Unreachable("monitoring is away"))

    with pytest.raises(SnowmeltError, match="monitoring is away"):
        repair()
    assert set(world.hosts) == {FQDN, f"{FIRST}.lab.test", f"{SECOND}.lab.test"}
    assert FQDN not in world.nodes
    assert len(repair()) == 1  # the retry


def test_a_refusal_is_not_tried_again(world: FakeWorld) -> None:
    leave_node(world)
    world.fail("deactivate", Conflict("not yours"))

    with pytest.raises(Refused, match="not yours"):
        repair()


def test_a_lost_answer_does_not_matter(world: FakeWorld) -> None:
    leave_node(world)
    world.lose_answer("deactivate", Unreachable("cut off"))

    with pytest.raises(SnowmeltError):
        repair()
    assert repair() == []
    assert FQDN not in world.nodes


def test_a_vm_released_between_look_and_act_is_not_terminated(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_old(world)
    held = world.add_vm(spec(GONE, "1.0"))
    monkeypatch.setattr("snowmelt.operators.repair.MENDS", {"terminate VM": None})

    def released(*_: Any) -> Any:
        held.phase = "running"
        return mend(*_)

    monkeypatch.setattr("snowmelt.operators.repair.mend", released)
    repair()

    assert held.phase == "running"


@pytest.mark.parametrize(
    "verb",
    [
        *("vms", "held_leases", "images", "templates"),
        *("certificates", "nodes", "addresses", "inventory", "members_of"),
    ],
)
def test_a_system_that_does_not_answer_is_not_taken_for_empty(world: FakeWorld, verb: str) -> None:
    two_old(world)
    leave_traces(world)
    before = world.everything()
    world.fail(verb, Unreachable("connection refused"))

    with pytest.raises(Unreachable):
        repair()
    assert world.everything() == before


def test_many_dead_vms_stop_everything_and_ask(world: FakeWorld) -> None:
    two_old(world)
    leave_traces(world)
    world.vms[0].phase = world.vms[1].phase = "unknown"
    found = audit(max_down=20)

    with pytest.raises(Refused, match=r"2 of 4 VMs are down \(50%\)"):
        Brake(task_id="brake", audit=found).execute(asked())
    with pytest.raises(Refused, match="Nothing is mended"):
        repair(max_down=20)
    assert world.story == []


def test_an_opennebula_that_shows_no_vm_lets_nothing_be_removed(world: FakeWorld) -> None:
    two_old(world)
    world.vms = {}

    with pytest.raises(Refused, match="2 of 2 VMs are down"):
        repair(max_down=20)
    assert world.story == []


def test_whose_it_is_is_still_known_when_a_repair_broke_off(world: FakeWorld) -> None:
    """The mark in monitoring goes first, and what comes after it may fail."""
    two_old(world)
    leave_traces(world)
    audit()
    world.fail("deactivate", Unreachable("PuppetDB is away"))

    with pytest.raises(SnowmeltError):
        repair()
    assert FQDN not in world.hosts
    repair()
    assert FQDN not in world.nodes


def test_a_rollout_known_from_its_living_vms_may_read_like_a_word(world: FakeWorld) -> None:
    two_old(world)
    serving(world, "shop-staging-5")
    audit()
    world.vms[2].phase = "done"
    world.clock.pass_s(timedelta(hours=1).total_seconds())
    repair()

    assert "shop-staging-5.lab.test" not in world.nodes
