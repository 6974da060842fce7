"""What holds for every trigger."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from inspect import isabstract
from typing import Any

import pytest
from airflow.models.trigger import Trigger
from airflow.sdk._shared.module_loading import import_string

from snowmelt.errors import Missing, Unreachable
from snowmelt.triggers.base import PauseTrigger, WaitTrigger
from snowmelt.triggers.cloud import VmRunningTrigger
from tests.plugins.snowmelt.fake_machines import FakeOpenNebula
from tests.plugins.snowmelt.kit import OLD, serving, two_old
from tests.plugins.snowmelt.triggers.examples import NAME, examples
from tests.plugins.snowmelt.world import FakeWorld

EXAMPLES = examples()
# the verb by which each trigger looks
LOOKS = (
    "vm_states",
    "certificate",
    "last_reports",
    "health",
    "members",
    "vms_named",
    "image",
    "images",
    "look",
    "state",
)


def each(trigger: WaitTrigger) -> str:
    return type(trigger).__name__


def _kinds(base: type[WaitTrigger] = WaitTrigger) -> Iterator[type[WaitTrigger]]:
    for kind in base.__subclasses__():
        ours = kind.__module__.startswith("snowmelt.")
        if ours and not isabstract(kind) and not kind.__name__.startswith("_"):
            yield kind
        yield from _kinds(kind)


async def events(trigger: WaitTrigger) -> list[dict[str, Any]]:
    return [event.payload async for event in trigger.run()]


def test_every_trigger_has_an_example() -> None:
    assert {type(example) for example in EXAMPLES} == set(_kinds())


@pytest.mark.parametrize("trigger", EXAMPLES, ids=each)
def test_it_survives_the_database(trigger: WaitTrigger) -> None:
    row = Trigger.from_object(trigger)

    back = import_string(row.classpath)(**row.kwargs)

    assert type(back) is type(trigger)
    assert back.serialize() == trigger.serialize()


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=map(each, EXAMPLES))
async def test_it_fires_once_and_ends_by_its_deadline(world: FakeWorld, number: int) -> None:
    two_old(world)
    world.guests["1.0"].healthy = False
    trigger = examples(limit_s=5, now=world.clock.now)[number]

    (event,) = await events(trigger)

    assert event["status"] in ("done", "failed")
    assert event["detail"]


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=map(each, EXAMPLES))
async def test_it_only_looks(world: FakeWorld, number: int) -> None:
    two_old(world)
    before = world.everything()

    await events(examples(limit_s=5, now=world.clock.now)[number])

    assert world.everything() == before


async def test_a_hook_that_is_called_on_the_loop_is_noticed(world: FakeWorld) -> None:
    """That is how every test here knows that no trigger blocks the others."""
    with pytest.raises(AssertionError, match="on the event loop"):
        FakeOpenNebula(world).vm_states()


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=map(each, EXAMPLES))
async def test_a_look_that_is_refused_for_good_ends_it(world: FakeWorld, number: int) -> None:
    trigger = examples(now=world.clock.now)[number]
    if isinstance(trigger, PauseTrigger):
        return
    for verb in LOOKS:
        world.fail(verb, Missing("no such thing"))

    assert await events(trigger) == [
        {"status": "failed", "detail": "no such thing", "retryable": False}
    ]


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=map(each, EXAMPLES))
async def test_a_system_that_is_away_is_asked_again(world: FakeWorld, number: int) -> None:
    two_old(world)
    expected = await events(examples(limit_s=5, now=world.clock.now)[number])
    for verb in LOOKS:
        world.fail(verb, Unreachable("refused"))

    assert [e["status"] for e in await events(examples(5, world.clock.now)[number])] == [
        e["status"] for e in expected
    ]


async def test_a_hundred_vms_that_boot_cost_one_look_per_interval(world: FakeWorld) -> None:
    for slot in range(100):
        vm = serving(world, f"shop-{OLD}-{slot}")
        vm.phase, vm.since = "pending", world.clock.now
    triggers = [
        VmRunningTrigger(
            conn_id="c", name=vm.spec.name, vm_id=vm.vm_id, deadline=world.clock.now + 60
        )
        for vm in world.vms.values()
    ]
    began = world.clock.now

    fired = await asyncio.gather(*map(events, triggers))

    intervals = (world.clock.now - began) / triggers[0].interval
    assert [e["status"] for (e,) in fired] == ["done"] * 100
    assert world.calls["vm_states"] <= intervals + 2


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=map(each, EXAMPLES))
async def test_twenty_of_a_kind_share_their_looks(world: FakeWorld, number: int) -> None:
    two_old(world)
    alone = examples(limit_s=5, now=world.clock.now)[number]
    world.calls.clear()
    await events(alone)
    cost = world.calls.total()
    world.calls.clear()

    await asyncio.gather(
        *[events(examples(limit_s=5, now=world.clock.now)[number]) for _ in range(20)]
    )

    assert world.calls.total() <= 2 * cost + 2


async def test_one_that_is_cancelled_lets_the_others_go_on(world: FakeWorld) -> None:
    vm = serving(world, NAME)
    vm.phase, vm.since = "pending", world.clock.now
    one, other = (examples(now=world.clock.now)[0] for _ in range(2))
    cancelled, going = asyncio.create_task(events(one)), asyncio.create_task(events(other))
    await asyncio.sleep(0)
    cancelled.cancel()

    (event,) = await going
    assert event["status"] == "done"
