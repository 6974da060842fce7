"""An audit of the fleet on the cloud in memory: what is found, and what is remembered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from include.audit import Memory
from include.catalogue import Service
from snowmelt.errors import Refused, Unreachable
from snowmelt.operators.audit import AuditFleet, Mended
from tests.plugins.snowmelt.auditing import (
    FIRST,
    FQDN,
    GONE,
    asked,
    audit,
    catalogue,
    leave_node,
    leave_traces,
    repair,
    things,
)
from tests.plugins.snowmelt.fakes import FakeBalancer
from tests.plugins.snowmelt.kit import OLD, Ti, service, two_old
from tests.plugins.snowmelt.world import FakeWorld

__all__ = ["catalogue"]
pytestmark = pytest.mark.usefixtures("catalogue")


def test_a_fleet_that_is_well_has_no_findings(world: FakeWorld) -> None:
    two_old(world)

    nothing: dict[str, Any] = {"findings": [], "heal": {}, "broken": [], "left_out": []}
    assert audit() == {"total": 0, "question": "", **nothing}
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


def test_the_memory_is_kept_from_audit_to_audit(world: FakeWorld) -> None:
    leave_node(world)
    audit()
    world.clock.pass_s(3600)
    audit()

    assert isinstance(world.audits[-1], Memory)
    assert world.audits[-1].known == {f"shop-{OLD}", "shop-q2w4e7r"}
    assert [f["seen_for_s"] for f in audit()["findings"]] == [3600]


LAST = Ti(dag_id="audit_fleet", run_id="manual__7", try_number=6)


def two_balancers(world: FakeWorld, catalogue: dict[str, Service]) -> None:
    """Let `wiki` have a balancer of its own, and let something be wrong with both services."""
    leave_node(world)
    catalogue["wiki"] = service(name="wiki", connections={"balancer": "eu"})


def test_one_balancer_that_stays_away_hides_only_the_services_behind_it(
    world: FakeWorld, catalogue: dict[str, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    two_balancers(world, catalogue)
    nobody = SimpleNamespace(members_of=_no_answer)
    here = FakeBalancer(world)
    monkeypatch.setattr(
        "snowmelt.fleet_look.balancer_for", lambda conn: nobody if conn == "eu" else here
    )
    with pytest.raises(Unreachable, match="eu: no answer"):
        audit()
    found = AuditFleet(task_id="audit").execute(asked(LAST))

    assert things(found) == {f"PuppetDB: node {FQDN}"}
    assert found["left_out"] == ["left out: wiki, as eu: no answer"]
    with pytest.raises(Refused, match="left out: wiki, as eu"):
        Mended(task_id="mended", audit=found).execute(asked())


def _no_answer(_: object) -> None:
    raise Unreachable("no answer")


def test_a_system_that_all_need_and_that_stays_away_fails_the_audit(
    world: FakeWorld, catalogue: dict[str, Service]
) -> None:
    two_balancers(world, catalogue)
    world.fail("nodes", Unreachable("no answer"))

    with pytest.raises(Unreachable, match="snowmelt_puppetdb: no answer"):
        AuditFleet(task_id="audit").execute(asked(LAST))


def test_a_run_in_which_all_were_looked_at_is_not_red(world: FakeWorld) -> None:
    two_old(world)
    Mended(task_id="mended", audit=audit()).execute(asked())
