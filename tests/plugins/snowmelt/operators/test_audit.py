"""An audit of the fleet on the cloud in memory: found, mended, and what is not ours left alone."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.audit import Memory
from include.catalogue import Service
from include.facts import CertificateRequest
from include.inventory import Lease
from snowmelt.errors import Conflict, Refused, SnowmeltError, Unreachable
from snowmelt.operators.audit import AuditFleet, Brake, HealFleet, RepairFleet
from tests.plugins.snowmelt.kit import OLD, Ti, context, planned, service, serving, spec, two_old
from tests.plugins.snowmelt.world import (
    FakeCertificate,
    FakeHost,
    FakeMember,
    FakeRun,
    FakeWorld,
)

GONE = "shop-q2w4e7r-0"
FQDN = f"{GONE}.lab.test"
FIRST, SECOND = f"shop-{OLD}-0", f"shop-{OLD}-1"


@pytest.fixture(autouse=True)
def catalogue(monkeypatch: pytest.MonkeyPatch) -> dict[str, Service]:
    """Let the catalogue hold `shop` alone."""
    services = {"shop": service()}
    monkeypatch.setattr("snowmelt.operators.audit.known_services", lambda: services)
    return services


def asked(**params: Any) -> Any:
    given = {"repair": True, "services": None, "grace": 0, "max_down": 100, **params}
    return context(Ti(dag_id="audit_fleet", run_id="manual__7"), **given)


def audit(**params: Any) -> dict[str, Any]:
    return AuditFleet(task_id="audit").execute(asked(**params))


def repair(**params: Any) -> list[str]:
    return RepairFleet(task_id="repair").execute(asked(**params))


def heal(found: dict[str, Any] | None = None, **params: Any) -> list[str]:
    """Heal what an audit has *found*; None: one that looks now."""
    broken = (found or audit(**params))["broken"]
    return HealFleet(task_id="heal", broken=broken).execute(asked(**params))


def know(world: FakeWorld, *rollouts: str) -> None:
    """Let an audit of an hour ago have seen VMs of these rollouts alive."""
    world.audits.append(Memory(rollouts=dict.fromkeys(rollouts, world.clock.now - 3600)))


def things(found: dict[str, Any], *, safe: bool = True) -> set[str]:
    return {f"{f['system']}: {f['thing']}" for f in found["findings"] if f["safe"] == safe}


def leave_traces(world: FakeWorld) -> None:
    """Leave one orphan of each kind. One has our mark in monitoring, so the others are ours too."""
    world.certificates[FQDN] = FakeCertificate(state="signed", key="k", signed_at=0, ttl_s=9)
    world.requests["shop-q2w4e7r-1.lab.test"] = CertificateRequest(
        certname="shop-q2w4e7r-1.lab.test",
        common_name="",
        alt_names=(),
        token=None,
        extensions=(),
        public_key="",
    )
    world.nodes.add(FQDN)
    world.names["shop-q2w4e7r-2.lab.test"] = ("198.18.0.202", 60)
    world.names["shop-q2w4e7r-3.lab.test"] = ("198.18.0.203", 60)
    world.unpointed.add("shop-q2w4e7r-3.lab.test")
    world.pointers["198.18.0.204"] = "shop-q2w4e7r-4.lab.test"
    world.hosts[FQDN] = FakeHost(
        address="198.18.0.200", template="m", variables={"snowmelt_service": "shop"}
    )
    world.pools["shop"][GONE] = FakeMember(address="198.18.0.200", port=8080)
    world.add_vm(spec("shop-h2ld4e7-0", "1.0"))
    world.add_vm(spec(FIRST, "1.0"))


def make_by_hand(world: FakeWorld) -> None:
    """Let people have things of their own next to ours."""
    world.names["www.lab.test"] = ("198.18.0.80", 60)
    world.names["shop-staging-0.lab.test"] = ("198.18.0.81", 60)
    world.names["shop-worker2-0.lab.test"] = ("198.18.0.83", 60)
    for name in ("puppet.lab.test", "shop-worker2-0.lab.test"):
        world.certificates[name] = FakeCertificate(state="signed", key="p", signed_at=0, ttl_s=9)
    world.hosts["db.lab.test"] = FakeHost(address="198.18.0.9", template="m", variables={})
    world.nodes.add("db.lab.test")
    world.pools["shop"]["static"] = FakeMember(address="198.18.0.82", port=80)
    world.leases.append(Lease(network="lab", address="198.18.0.150"))


def by_hand(world: FakeWorld) -> list[Any]:
    return [
        world.names.get("www.lab.test"),
        world.names.get("shop-staging-0.lab.test"),
        world.names.get("shop-worker2-0.lab.test"),
        world.certificates.get("puppet.lab.test"),
        world.certificates.get("shop-worker2-0.lab.test"),
        world.hosts.get("db.lab.test"),
        "db.lab.test" in world.nodes,
        world.pools["shop"].get("static"),
    ]


def test_a_fleet_that_is_well_has_no_findings(world: FakeWorld) -> None:
    two_old(world)

    assert audit() == {"findings": [], "total": 0, "question": "", "heal": {}, "broken": []}
    assert repair() == []


def test_a_look_reads_each_list_once_and_changes_nothing(world: FakeWorld) -> None:
    two_old(world)
    leave_traces(world)
    before = world.everything()
    world.calls.clear()
    audit(repair=False)

    assert world.everything() == before
    assert world.calls["addresses"] == 2  # one zone forward, one reverse
    lists = [
        *("vms", "held_leases", "images", "templates"),
        *("certificates", "nodes", "inventory", "members_of"),
    ]
    assert {name: world.calls[name] for name in lists} == dict.fromkeys(lists, 1)


def test_one_orphan_of_each_kind_is_found(world: FakeWorld) -> None:
    two_old(world)
    leave_traces(world)

    assert things(audit()) == {
        f"balancer: member {GONE} of pool shop",
        f"monitoring: host {FQDN}",
        f"Puppet CA: certificate of {FQDN}",
        "Puppet CA: request of shop-q2w4e7r-1.lab.test",
        f"PuppetDB: node {FQDN}",
        "DNS: shop-q2w4e7r-2.lab.test = 198.18.0.202",
        "DNS: shop-q2w4e7r-3.lab.test = 198.18.0.203",
        "DNS: shop-q2w4e7r-4.lab.test = 198.18.0.204",
        "OpenNebula: VM 2 shop-h2ld4e7-0",
        f"OpenNebula: VM 3 {FIRST}",
    }


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
    two_old(world)
    know(world, "shop-q2w4e7r")
    world.nodes.add(FQDN)
    audit()
    world.clock.pass_s(14 * 60)

    assert repair(grace=15) == []
    assert FQDN in world.nodes


def test_what_an_audit_saw_longer_ago_than_the_grace_is_mended(world: FakeWorld) -> None:
    two_old(world)
    know(world, "shop-q2w4e7r")
    world.nodes.add(FQDN)
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
    two_old(world)
    know(world, "shop-q2w4e7r")
    world.nodes.add(FQDN)
    world.fail("deactivate", Conflict("not yours"))

    with pytest.raises(Refused, match="not yours"):
        repair()


def test_a_lost_answer_does_not_matter(world: FakeWorld) -> None:
    two_old(world)
    know(world, "shop-q2w4e7r")
    world.nodes.add(FQDN)
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
    monkeypatch.setattr("snowmelt.operators.audit.MENDS", {"terminate VM": None})

    def released(*_: Any) -> Any:
        held.phase = "running"
        from snowmelt.mend import mend

        return mend(*_)

    monkeypatch.setattr("snowmelt.operators.audit.mend", released)
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


def test_a_dead_vm_is_healed_by_a_rollout_that_keeps_the_others(world: FakeWorld) -> None:
    two_old(world)
    world.vms[1].phase = "unknown"
    found = audit()

    assert Brake(task_id="brake", audit=found).execute(asked()) == found["broken"]
    assert heal(found) == ["rollout_shop"]
    (run,) = world.runs.values()
    assert run.conf["replace"] == "none"
    assert SECOND in run.conf["reason"]


@pytest.mark.parametrize(
    "how", ["died", "vanished", "certificate", "expired", "node", "member", "guest"]
)
def test_the_rollout_of_a_healing_replaces_that_vm_and_no_other(
    world: FakeWorld, catalogue: dict[str, Service], how: str
) -> None:
    two_old(world)
    fqdn = f"{SECOND}.lab.test"
    if how in ("died", "vanished"):
        world.vms[1].phase = "failed" if how == "died" else "done"
    elif how == "certificate":
        del world.certificates[fqdn]
    elif how == "expired":
        world.certificates[fqdn].ttl_s = -1
    elif how == "guest":
        catalogue["shop"] = service(balancer=None)
        world.hosts[fqdn].down_since = datetime.fromtimestamp(world.clock.now - 3600, UTC)
        world.vms[1].reported = False  # so its app does not answer
    elif how == "node":
        world.nodes.discard(fqdn)
    else:
        del world.pools["shop"][SECOND]
    params = audit()["heal"]["shop"]
    chosen = {k: params[k] for k in ("replace", "slots") if k in params}
    plan = planned(catalogue["shop"], **chosen)["plan"]

    assert [vm["slot"] for vm in plan["new"]] == [1]
    assert [vm["name"] for vm in plan["kept"]] == [FIRST]


@pytest.mark.parametrize("state", ["queued", "success"])
def test_healing_twice_starts_one_rollout(world: FakeWorld, state: str) -> None:
    """Also when the first one has ended, and something is broken again: the next audit's turn."""
    two_old(world)
    world.vms[1].phase = "unknown"
    heal()
    world.runs["rollout_shop", "audit__manual__7"].state = state
    with suppress(AirflowSkipException):
        heal()

    assert list(world.runs) == [("rollout_shop", "audit__manual__7")]


def test_a_rollout_that_began_meanwhile_is_not_followed_by_another(world: FakeWorld) -> None:
    two_old(world)
    world.vms[1].phase = "unknown"
    found = audit()
    world.runs["rollout_shop", "x"] = FakeRun(conf={})

    with pytest.raises(AirflowSkipException):
        heal(found)
    assert len(world.runs) == 1


def test_what_has_become_whole_since_the_audit_is_not_replaced(world: FakeWorld) -> None:
    """A task that is cleared the next day finds another VM in the slot that was named."""
    two_old(world)
    world.nodes.discard(f"{SECOND}.lab.test")
    found = audit()
    assert found["heal"]["shop"]["slots"] == [1]
    world.nodes.add(f"{SECOND}.lab.test")

    with pytest.raises(AirflowSkipException):
        heal(found)
    assert not world.runs


def test_what_the_audit_did_not_see_broken_is_left_to_the_next(
    world: FakeWorld, catalogue: dict[str, Service]
) -> None:
    """A firewall that forgot its VMs: what the repair let in takes a while to be up again."""
    catalogue["shop"] = service(firewall={"group": "web_vms"})
    two_old(world)
    world.groups["web_vms"] = {}
    for member in world.pools["shop"].values():
        member.was_up = True
    world.members_checked = False  # so they stay down
    found = audit()
    repair()
    assert len(world.groups["web_vms"]) == 2

    for max_down in (20, 100):
        with pytest.raises(AirflowSkipException):
            heal(found, max_down=max_down)
    assert not world.runs


def test_a_vm_that_vanished_is_replaced_when_nothing_is_left_of_it_to_see(world: FakeWorld) -> None:
    """The repair before the healing has removed all that told of it."""
    two_old(world)
    world.vms[1].phase = "done"
    found = audit()
    repair()
    assert f"{SECOND}.lab.test" not in world.nodes

    assert heal(found) == ["rollout_shop"]


def test_a_slot_that_stays_empty_is_told_by_what_is_left_alone(world: FakeWorld) -> None:
    """A later audit takes it for what a rollout made smaller."""
    two_old(world)
    world.vms[1].phase = "done"
    found = audit()
    repair()
    audit()

    with pytest.raises(AirflowSkipException):
        heal(found)


def test_nothing_is_healed_when_the_brake_would_ask_by_now(world: FakeWorld) -> None:
    two_old(world)
    world.vms[0].phase = world.vms[1].phase = "unknown"

    with pytest.raises(Refused, match="Nothing is mended"):
        heal(max_down=20)
    assert not world.runs


def test_a_service_that_cannot_be_healed_does_not_stop_the_others(
    world: FakeWorld, catalogue: dict[str, Service]
) -> None:
    two_old(world)
    world.vms[1].phase = "unknown"
    catalogue["blog"] = service(name="blog", balancer=None, monitoring=None)
    world.add_vm(spec("blog-q2w4e7r-0", "1.0")).phase = "unknown"
    world.fail("ensure_run", Refused("rollout_blog is paused"))

    with pytest.raises(Refused, match="paused"):
        heal()
    assert [dag for dag, _ in world.runs] == ["rollout_shop"]


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


def test_the_memory_is_kept_from_audit_to_audit(world: FakeWorld) -> None:
    two_old(world)
    know(world, "shop-q2w4e7r")
    world.nodes.add(FQDN)
    audit()
    world.clock.pass_s(3600)
    audit()

    assert isinstance(world.audits[-1], Memory)
    assert world.audits[-1].known == {f"shop-{OLD}", "shop-q2w4e7r"}
    assert [f["seen_for_s"] for f in audit()["findings"]] == [3600]


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
