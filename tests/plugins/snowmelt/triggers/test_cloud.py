"""Each edge of the waits for OpenNebula."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from snowmelt.triggers.cloud import AllVmsGoneTrigger, VmGoneTrigger, VmRunningTrigger
from tests.plugins.snowmelt.kit import OLD, serving, stored
from tests.plugins.snowmelt.triggers.examples import NAME
from tests.plugins.snowmelt.world import FakeVm, FakeWorld, Guest


@pytest.fixture
def vm(world: FakeWorld) -> FakeVm:
    """Return a VM that has just been released."""
    made = serving(world, NAME)
    made.phase, made.since = "pending", world.clock.now
    return made


@pytest.fixture
def boots(world: FakeWorld) -> VmRunningTrigger:
    return VmRunningTrigger(conn_id="c", name=NAME, vm_id=0, deadline=world.clock.now + 60)


async def test_a_vm_boots(boots: VmRunningTrigger, vm: FakeVm) -> None:
    assert (await boots.wait()).detail == f"{NAME} (VM 0) is ACTIVE/RUNNING"


async def test_a_vm_fails_to_boot(world: FakeWorld, boots: VmRunningTrigger, vm: FakeVm) -> None:
    world.guests["1.0"] = Guest(boots=False)
    verdict = await boots.wait()

    assert (verdict.status, verdict.retryable) == ("failed", True)
    assert verdict.detail == f"{NAME} (VM 0) is BOOT_FAILURE: no such image"


async def test_a_vm_that_is_not_in_the_list_yet_is_waited_for(
    world: FakeWorld, boots: VmRunningTrigger
) -> None:
    def appear() -> None:
        serving(world, NAME)

    later(world, 5, appear)

    assert (await boots.wait()).status == "done"


async def test_a_vm_that_was_there_and_has_gone_will_never_run(
    world: FakeWorld, boots: VmRunningTrigger, vm: FakeVm
) -> None:
    def terminate() -> None:
        vm.phase = "done"

    later(world, 1, terminate)
    verdict = await boots.wait()

    assert verdict.detail == f"{NAME} (VM 0) was terminated by somebody"


async def test_a_restarted_triggerer_waits_on_to_the_same_deadline(
    world: FakeWorld, boots: VmRunningTrigger, vm: FakeVm
) -> None:
    vm.since += 1000
    world.clock.pass_s(50)
    verdict = await stored(boots).wait()

    assert verdict.status == "failed"
    assert world.clock.now < boots.deadline + 3


async def test_vms_that_came_together_are_looked_at_together_and_no_others_with_them(
    world: FakeWorld,
) -> None:
    """And a look at two blocks of ids is two looks: VM 300 of a fleet is not read for VM 0."""
    for _ in range(300):
        serving(world, NAME)
    waits = [
        VmRunningTrigger(conn_id="c", name=NAME, vm_id=vm_id, deadline=world.clock.now + 60)
        for vm_id in (0, 7, 255)
    ]
    world.calls.clear()
    verdicts = [await wait.check() for wait in waits]

    assert {verdict.status for verdict in verdicts} == {"done"}
    assert world.calls["vm_states"] == 1
    both = AllVmsGoneTrigger(conn_id="c", vm_ids=[0, 299], deadline=world.clock.now + 60)
    assert (await both.check()).detail.count(NAME) == 2
    assert world.calls["vm_states"] == 2  # the first block is that of a moment ago


async def test_a_vm_goes(world: FakeWorld) -> None:
    vm = serving(world, NAME)
    vm.phase, vm.since = "stopping", world.clock.now
    gone = VmGoneTrigger(conn_id="c", name=NAME, vm_id=0, deadline=world.clock.now + 60)

    assert (await gone.wait()).detail == f"{NAME} is gone"


async def test_a_guest_that_ignores_its_shutdown_is_told_at_the_deadline(
    world: FakeWorld,
) -> None:
    world.guests["1.0"] = Guest(listens=False)
    serving(world, NAME).phase = "stopping"
    gone = VmGoneTrigger(conn_id="c", name=NAME, vm_id=0, deadline=world.clock.now + 60)

    assert (await gone.wait()).detail == (
        f"not within the deadline: {NAME} (VM 0) is ACTIVE/SHUTDOWN"
    )


async def test_all_of_some_have_to_go_and_the_others_do_not_matter(world: FakeWorld) -> None:
    serving(world, NAME).phase = "done"
    going = serving(world, f"shop-{OLD}-1")
    serving(world, NAME)
    trigger = AllVmsGoneTrigger(conn_id="c", vm_ids=[0, 1], deadline=world.clock.now + 10)
    assert (await trigger.wait()).detail == (
        f"not within the deadline: still there: shop-{OLD}-1 (ACTIVE/RUNNING)"
    )
    going.phase = "done"
    world.clock.pass_s(2)

    assert (await trigger.wait()).status == "done"


def later(world: FakeWorld, after_s: float, happen: Callable[[], None]) -> None:
    """Let something happen once, when that much time has passed."""
    turn, due, left = world.tick, world.clock.now + after_s, [happen]

    def tick() -> None:
        if world.clock.now >= due and left:
            left.pop()()
        turn()

    world.tick = tick  # type: ignore[method-assign]
