"""What mends a finding: each act has a hand, and a rollout has none here."""

from __future__ import annotations

from dataclasses import replace

from include.audit import ACTS, Finding
from include.verdict import Outcome
from snowmelt.mend import MENDS, mend
from tests.plugins.snowmelt.kit import service
from tests.plugins.snowmelt.world import FakeWorld

GONE = Finding(
    system="any",
    thing="any",
    kind="orphan",
    reason="gone",
    service="shop",
    name="shop-q2w4e7r-0",
    address="198.18.0.200",
    vm_id=7,
)


def test_all_but_rollouts_and_nothing_are_done_here() -> None:
    assert set(ACTS) - set(MENDS) == {"rollout", "replace VM", "nothing"}


def test_removing_what_is_gone_succeeds(world: FakeWorld) -> None:
    for act in ACTS:
        if act.startswith(("remove", "deactivate")):
            assert mend(service(), replace(GONE, act=act)) is Outcome.UNCHANGED
    assert world.story == []


def test_a_service_without_balancer_or_monitoring_has_nothing_to_remove_there(
    world: FakeWorld,
) -> None:
    bare = service(balancer=None, monitoring=None)

    assert mend(bare, replace(GONE, act="remove member")) is Outcome.UNCHANGED
    assert mend(bare, replace(GONE, act="monitor VM")) is Outcome.UNCHANGED
