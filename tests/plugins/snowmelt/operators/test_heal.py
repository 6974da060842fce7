"""What an audit found broken is replaced, once, and nothing else is."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.catalogue import Service
from include.catalogue.fleet import Budgets, Fleet
from snowmelt.errors import Refused, Unreachable
from snowmelt.operators.audit import Brake
from snowmelt.operators.heal import HealFleet
from snowmelt.operators.repair import RepairFleet
from tests.plugins.snowmelt.auditing import FIRST, SECOND, asked, audit, catalogue, heal, repair
from tests.plugins.snowmelt.kit import OLD, Ti, planned, service, serving, spec, two_old
from tests.plugins.snowmelt.world import FakeRun, FakeWorld

__all__ = ["catalogue"]
pytestmark = pytest.mark.usefixtures("catalogue")


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


def test_a_slot_that_no_healing_filled_is_told_and_left_to_a_person(world: FakeWorld) -> None:
    """To a later audit it looks as after a rollout that made the service smaller."""
    two_old(world)
    world.vms[1].phase = "done"
    found = audit()
    repair()
    for _ in range(3):
        world.clock.pass_s(3600)
        (told,) = audit()["findings"]
        assert (told["vm"], told["safe"]) == (SECOND, False)
    assert "run rollout_shop with replace=none" in told["why_not"]
    assert told["seen_for_s"] == 3 * 3600

    with pytest.raises(AirflowSkipException):
        heal(found)
    serving(world, "shop-q2w4e7r-1")
    assert audit()["findings"] == []
    world.vms[2].phase = "done"
    assert SECOND not in {each["vm"] for each in audit()["findings"]}


def test_nothing_is_healed_when_the_brake_would_ask_by_now(world: FakeWorld) -> None:
    two_old(world)
    world.vms[0].phase = world.vms[1].phase = "unknown"

    with pytest.raises(Refused, match="Nothing is mended"):
        heal(max_down=20)
    assert not world.runs


def test_what_has_died_since_the_audit_counts_for_the_brake(world: FakeWorld) -> None:
    """A host is going: two of twenty VMs at the audit, twelve when healing comes to it."""
    two_old(world)
    serving(world, f"shop-{OLD}-2")
    world.vms[1].phase = "unknown"
    found = audit(max_down=50)
    assert not found["question"]
    world.vms[2].phase = "unknown"

    with pytest.raises(Refused, match="2 of 3 VMs"):
        heal(found, max_down=50)
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


def broken(world: FakeWorld, catalogue: dict[str, Service], *names: str) -> None:
    """Let each service have lost a VM."""
    for name in names:
        catalogue[name] = service(name=name, balancer=None, monitoring=None)
        world.add_vm(spec(f"{name}-q2w4e7r-0", "1.0")).phase = "unknown"


def at_once(monkeypatch: pytest.MonkeyPatch, services: int) -> None:
    fleet = Fleet(budgets=Budgets(services=services))
    monkeypatch.setattr("snowmelt.operators.heal.settled_fleet", lambda: fleet)


def test_no_more_are_healed_at_once_than_are_rotated_at_once(
    world: FakeWorld, catalogue: dict[str, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fifth of the fleet may be down before the brake asks: dozens of rollouts together."""
    two_old(world)
    broken(world, catalogue, *"abcde")
    at_once(monkeypatch, services=3)

    first = heal()

    assert len(first) == len(world.runs) == 3
    for run in world.runs.values():
        run.state = "success"
    world.vms = {i: vm for i, vm in world.vms.items() if f"rollout_{vm.spec.service}" not in first}
    later = HealFleet(task_id="heal", broken=audit()["broken"])
    ctx = asked()
    ctx["dag_run"].run_id = "manual__8"
    assert {*first, *later.execute(ctx)} == {f"rollout_{name}" for name in "abcde"}


def test_a_rollout_that_an_audit_before_has_started_counts(
    world: FakeWorld, catalogue: dict[str, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    two_old(world)
    broken(world, catalogue, "a", "b", "c")
    world.runs["rollout_a", "audit__an hour ago"] = FakeRun(conf={})
    at_once(monkeypatch, services=2)

    assert heal() in (["rollout_b"], ["rollout_c"])


def test_one_that_cannot_be_started_takes_nobody_s_place(
    world: FakeWorld, catalogue: dict[str, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    two_old(world)
    broken(world, catalogue, "a", "b")
    at_once(monkeypatch, services=1)
    world.fail("ensure_run", Refused("it is paused"))

    with pytest.raises(Refused, match="paused"):
        heal()
    assert len(world.runs) == 1


def test_a_rollout_for_what_others_miss_of_a_running_vm_counts_too(
    world: FakeWorld, catalogue: dict[str, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its service is busy, so no audit calls its finding safe; each hour would start two more."""
    two_old(world)
    for name in "abc":  # without a certificate
        catalogue[name] = service(name=name, balancer=None, monitoring=None)
        world.add_vm(spec(f"{name}-q2w4e7r-0", "1.0"), phase="running")
    at_once(monkeypatch, services=2)
    assert len(heal()) == 2

    later = HealFleet(task_id="heal", broken=audit()["broken"])
    ctx = asked()
    ctx["dag_run"].run_id = "manual__8"
    assert later.execute(ctx) == []
    assert len(world.runs) == 2


def test_a_mistake_in_the_fleets_file_stops_no_healing(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The repair has removed what told of the VM that vanished: no later audit would heal it."""
    two_old(world)
    world.vms[1].phase = "done"
    found = audit()
    repair()

    def wrong() -> Fleet:
        raise Refused("fleet.yaml: budgets: unknown key")

    monkeypatch.setattr("snowmelt.operators.heal.settled_fleet", wrong)
    assert heal(found) == ["rollout_shop"]


def test_a_system_that_goes_away_after_the_audit_keeps_the_run_red(
    world: FakeWorld, catalogue: dict[str, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is left to heal because nobody could look, nothing is healed."""
    two_old(world)
    world.vms[1].phase = "done"
    catalogue["shop"] = service(connections={"balancer": "eu"})
    catalogue["wiki"] = service(name="wiki", balancer=None, monitoring=None)
    found = audit()
    monkeypatch.setattr("snowmelt.fleet_look.balancer_for", away)
    last = Ti(dag_id="audit_fleet", run_id="manual__7", try_number=6)

    with pytest.raises(Refused, match="left out: shop, as eu: no answer"):
        RepairFleet(task_id="repair").execute(asked(last))
    with pytest.raises(Refused, match="left out: shop, as eu: no answer"):
        HealFleet(task_id="heal", broken=found["broken"]).execute(asked(last))


def away(_: str) -> Any:
    raise Unreachable("no answer")
