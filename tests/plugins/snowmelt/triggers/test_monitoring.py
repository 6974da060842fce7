"""Each edge of the wait for monitoring."""

from __future__ import annotations

import pytest

from snowmelt.triggers.monitoring import HealthyTrigger, healths
from tests.plugins.snowmelt.kit import serving, two_old
from tests.plugins.snowmelt.triggers.examples import FQDN, NAME, PEERS
from tests.plugins.snowmelt.triggers.test_cloud import later
from tests.plugins.snowmelt.world import FakeWorld, Guest


@pytest.fixture
def healthy(world: FakeWorld) -> HealthyTrigger:
    return HealthyTrigger(conn_id="c", fqdn=FQDN, peers=PEERS, deadline=world.clock.now + 60)


async def test_all_checks_are_ok(world: FakeWorld, healthy: HealthyTrigger) -> None:
    serving(world, NAME)

    assert (await healthy.wait()).detail == f"{FQDN}: 2 checks are ok"


async def test_checks_that_have_not_run_yet_are_waited_for(
    world: FakeWorld, healthy: HealthyTrigger
) -> None:
    serving(world, NAME)
    world.hosts[FQDN].checked = False

    def check() -> None:
        world.hosts[FQDN].checked = True

    later(world, 7, check)
    began = world.clock.now

    assert (await healthy.wait()).status == "done"
    assert world.clock.now - began >= 7


async def test_a_critical_check_is_told_at_the_deadline(
    world: FakeWorld, healthy: HealthyTrigger
) -> None:
    world.guests["1.0"] = Guest(healthy=False)
    serving(world, NAME)

    assert "app critical (503 from /health)" in (await healthy.wait()).detail


async def test_a_host_that_is_unknown_is_told_at_the_deadline(healthy: HealthyTrigger) -> None:
    assert (await healthy.wait()).detail == (
        f"not within the deadline: {FQDN} is not in monitoring yet"
    )


async def test_the_same_names_in_another_order_share_a_look(world: FakeWorld) -> None:
    two_old(world)
    world.calls.clear()
    await healths("c", PEERS, 10)
    await healths("c", PEERS[::-1], 10)

    assert world.calls["health"] == 1
