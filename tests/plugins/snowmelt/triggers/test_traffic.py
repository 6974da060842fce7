"""Each edge of the waits for a load balancer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import pytest

from snowmelt.errors import Unreachable
from snowmelt.triggers.base import WaitTrigger
from snowmelt.triggers.traffic import (
    AllDrainedTrigger,
    DrainedTrigger,
    MayDrainTrigger,
    ServingTrigger,
    WatchTrigger,
)
from tests.plugins.snowmelt.fakes import FakeBalancer
from tests.plugins.snowmelt.kit import NEW, OLD, planned, service, serving, two_old
from tests.plugins.snowmelt.triggers.examples import NAME, examples
from tests.plugins.snowmelt.triggers.test_cloud import later
from tests.plugins.snowmelt.world import FakeWorld, Guest

BOTH = (NAME, f"shop-{OLD}-1")


def drained(world: FakeWorld, **changes: Any) -> DrainedTrigger:
    values = {"conn_id": "c", "pool": "shop", "name": NAME, "on_deadline": "cut", **changes}
    return DrainedTrigger(**values, idle_s=10.0, deadline=world.clock.now + 60)


def begin(world: FakeWorld, *, make: bool = True) -> None:
    """Begin the drain of the first VM."""
    if make:
        two_old(world)
    member = world.pools["shop"][NAME]
    member.admin, member.drained_at = "drain", world.clock.now


async def test_the_sessions_end(world: FakeWorld) -> None:
    begin(world)
    began = world.clock.now

    assert (await drained(world).wait()).detail == f"{NAME} is drained"
    assert 5 <= world.clock.now - began < 6


@pytest.mark.parametrize(("on_deadline", "status"), [("cut", "done"), ("stop", "failed")])
async def test_the_deadline_comes_first(world: FakeWorld, on_deadline: str, status: str) -> None:
    begin(world)
    world.session_s = 10_000
    verdict = await drained(world, on_deadline=on_deadline).wait()

    assert verdict.status == status
    assert "still has 3 sessions" in verdict.detail


async def test_a_look_from_before_the_drain_does_not_count(world: FakeWorld) -> None:
    two_old(world)
    sister = drained(world, name=f"shop-{OLD}-1")
    await sister.members()
    begin(world, make=False)

    assert (await drained(world).wait()).detail == f"{NAME} is drained"


async def test_somebody_ended_the_drain(world: FakeWorld) -> None:
    begin(world)

    def undrain() -> None:
        world.pools["shop"][NAME].admin = "ready"

    later(world, 3, undrain)

    assert (await drained(world).wait()).detail == (
        f"{NAME} takes new sessions again: somebody ended its drain"
    )


async def test_somebody_took_the_member_out(world: FakeWorld) -> None:
    begin(world)
    world.session_s = 10_000
    later(world, 3, world.pools["shop"].clear)

    assert (await drained(world).wait()).detail == f"{NAME} is in no pool"


async def test_all_are_drained_when_the_last_is(world: FakeWorld) -> None:
    begin(world)
    sister = world.pools["shop"][f"shop-{OLD}-1"]
    sister.admin, sister.drained_at = "drain", world.clock.now + 10
    began = world.clock.now
    both = AllDrainedTrigger(
        conn_id="c", pool="shop", names=[NAME, f"shop-{OLD}-1"], idle_s=10.0, deadline=began + 60
    )

    assert (await both.wait()).status == "done"
    assert world.clock.now - began >= 15


async def test_members_that_are_gone_hold_nothing_up(world: FakeWorld) -> None:
    trigger = AllDrainedTrigger(
        conn_id="c", pool="shop", names=[NAME], idle_s=10.0, deadline=world.clock.now + 60
    )

    assert (await trigger.wait()).status == "done"


async def test_a_member_that_is_checked_begins_to_serve(world: FakeWorld) -> None:
    vm = serving(world, NAME)
    vm.reported = False
    world.certificates[vm.spec.fqdn].signed_at = world.clock.now
    trigger = ServingTrigger(conn_id="c", pool="shop", name=NAME, deadline=world.clock.now + 60)

    assert (await trigger.wait()).detail == f"{NAME} serves in pool shop"


async def test_an_old_vm_may_drain_when_the_new_ones_have_settled(world: FakeWorld) -> None:
    two_old(world)
    plan = (await asyncio.to_thread(planned, service(), release="1.1"))["plan"]
    for slot in (0, 1):
        serving(world, f"shop-{NEW}-{slot}", "1.1")
        world.pools["shop"][f"shop-{NEW}-{slot}"].up_at = world.clock.now
    began = world.clock.now
    trigger = MayDrainTrigger(
        service=service().model_dump(mode="json"), plan=plan, name=NAME, deadline=began + 60
    )
    world.calls.clear()

    assert (await trigger.wait()).detail == "2 others serve ≥ 2 needed"
    assert 5 <= world.clock.now - began < 7
    assert world.calls["vms_named"] == 1  # the rest of its looks were at the pool


async def test_all_who_wait_at_a_pool_share_one_look(world: FakeWorld) -> None:
    """But for drains, which ask for its sessions too: they share theirs."""
    begin(world)
    entry, watching = service(), await watch(world)
    conn_id = entry.connections.balancer
    joining = ServingTrigger(conn_id=conn_id, pool="shop", name=NAME, deadline=0)
    drains = [drained(world, conn_id=conn_id, name=f"shop-{OLD}-{slot}") for slot in (0, 1)]
    world.calls.clear()

    looks = [joining.members(), watching.pool_of(entry), *(d.members() for d in drains)]
    seen = await asyncio.gather(*looks)

    assert world.calls["members"] == 2
    assert [sum(member.sessions for member in each) for each in seen] == [0, 0, 6, 6]


class SlowBalancer(FakeBalancer):
    """One that counts its callers, as the API of a cloud does."""

    look_every_s = 5.0


@pytest.fixture
def slow(world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snowmelt.triggers.traffic.balancer_for", partial(SlowBalancer, world))


async def looks_of(world: FakeWorld, trigger: WaitTrigger) -> float:
    """Return how often a wait looks in 5 s that was written down with half a second."""
    kind, row = type(trigger), {**trigger.serialize()[1], "interval": 0.5}
    world.calls.clear()
    began = world.clock.now
    await kind(**row).wait()
    assert world.clock.now - began >= 20
    return (world.calls["members"] - 1) / (world.clock.now - began) * SlowBalancer.look_every_s


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("kind", [ServingTrigger, DrainedTrigger, AllDrainedTrigger])
async def test_a_balancer_that_counts_its_callers_is_asked_seldom(
    world: FakeWorld, kind: type[WaitTrigger]
) -> None:
    begin(world)
    world.session_s = 10_000
    (trigger,) = (each for each in examples(30, world.clock.now) if type(each) is kind)

    assert await looks_of(world, trigger) <= 1


@pytest.mark.usefixtures("slow")
async def test_the_watch_asks_such_a_balancer_seldom_and_passes(world: FakeWorld) -> None:
    assert await looks_of(world, await watch(world)) <= 1


async def test_an_old_vm_may_not_drain_while_a_new_one_is_down(world: FakeWorld) -> None:
    two_old(world)
    plan = (await asyncio.to_thread(planned, service(), release="1.1"))["plan"]
    world.guests["1.1"] = Guest(healthy=False)
    for slot in (0, 1):
        serving(world, f"shop-{NEW}-{slot}", "1.1")
    trigger = MayDrainTrigger(
        service=service().model_dump(mode="json"),
        plan=plan,
        name=NAME,
        deadline=world.clock.now + 60,
    )

    assert (await trigger.wait()).detail == (
        f"not within the deadline: shop-{NEW}-0 does not serve yet"
    )


def watched(world: FakeWorld, names: Sequence[str] = BOTH, duration_s: float = 20) -> WatchTrigger:
    """Return the watch of VMs that joined a moment ago."""
    for name in BOTH:
        serving(world, name)
    reload(world)
    before = [asdict(m) for m in FakeBalancer(world).members("shop") if m.name in names]
    return WatchTrigger(
        service=service().model_dump(mode="json"),
        names=list(names),
        before=before,
        began=world.clock.now,
        duration_s=duration_s,
        deadline=world.clock.now + duration_s + 300,
    )


async def watch(world: FakeWorld, **changes: Any) -> WatchTrigger:
    return await asyncio.to_thread(watched, world, **changes)


def reload(world: FakeWorld) -> None:
    """Let the balancer start anew: each member counts seconds and requests from zero."""
    for each in world.pools["shop"].values():
        each.up_at = world.clock.now


@pytest.mark.parametrize("requests_per_s", [50, 0], ids=["busy", "nobody comes"])
async def test_a_balancer_that_is_reloaded_fails_no_watch(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch, requests_per_s: int
) -> None:
    monkeypatch.setattr("tests.plugins.snowmelt.fakes.REQUESTS_PER_S", requests_per_s)
    trigger = await watch(world)
    began = world.clock.now
    later(world, 12, lambda: reload(world))

    assert (await trigger.wait()).status == "done"
    assert 20 <= world.clock.now - began < 22


async def test_a_vm_that_was_down_after_a_reload_fails_the_watch(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.plugins.snowmelt.fakes.REQUESTS_PER_S", 0)
    trigger = await watch(world)

    def flap() -> None:
        world.pools["shop"][NAME].up_at = world.clock.now

    later(world, 3, lambda: reload(world))
    later(world, 12, flap)

    assert f"{NAME} was down: it is up for" in (await trigger.wait()).detail


async def test_a_vm_that_was_down_between_two_looks_fails_the_watch(world: FakeWorld) -> None:
    """Also where the triggerer was away for as long as that."""
    trigger = await watch(world)
    world.clock.pass_s(12)
    world.pools["shop"][NAME].up_at = world.clock.now - 1

    assert (await trigger.wait()).detail == f"{NAME} was down: it is up for 1 s only"


async def test_a_vm_that_falls_fails_the_watch_while_monitoring_is_away(world: FakeWorld) -> None:
    trigger = await watch(world)
    world.fail("health", Unreachable("refused"), times=1000)

    def fall_ill() -> None:
        world.guests["1.0"] = Guest(healthy=False)

    began = world.clock.now
    later(world, 5, fall_ill)

    assert (await trigger.wait()).detail == f"{NAME} is down in pool shop"
    assert world.clock.now - began < 10


async def test_no_watch_passes_while_monitoring_is_away(world: FakeWorld) -> None:
    """And none fails for it before its deadline: monitoring may be back in a minute."""
    trigger = await watch(world)
    world.fail("health", Unreachable("refused"), times=60)
    began = world.clock.now

    assert (await trigger.wait()).status == "done"
    assert world.clock.now - began >= 60
