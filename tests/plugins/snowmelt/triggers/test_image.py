"""Wait for an image."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from snowmelt.triggers.image import ImageReadyTrigger, ImagesGoneTrigger
from tests.plugins.snowmelt.fake_images import COPIES_S, DELETES_S, FakeImages, add_image
from tests.plugins.snowmelt.world import FakeWorld

NAME = "debian-12-2"


def trigger(world: FakeWorld, limit_s: float = 600) -> ImageReadyTrigger:
    """Return the wait for an image that is being copied."""
    made = add_image(world, NAME, family="debian-12", version="2")
    world.images[made.image_id] = replace(made, state="locked")
    return ImageReadyTrigger(
        conn_id="c", name=NAME, image_id=made.image_id, deadline=world.clock.now + limit_s
    )


async def test_it_waits_until_the_copy_is_whole(world: FakeWorld) -> None:
    wait, began = trigger(world), world.clock.now

    assert (await wait.wait()).status == "done"
    assert world.clock.now >= began + COPIES_S


async def test_a_copy_that_fails_says_why_and_may_be_tried_again(world: FakeWorld) -> None:
    world.bad_images.add(NAME)
    verdict = await trigger(world).wait()

    assert (verdict.status, verdict.retryable) == ("failed", True)
    assert "no such file" in verdict.detail


async def test_a_copy_that_hangs_ends_with_the_deadline(world: FakeWorld) -> None:
    assert (await trigger(world, limit_s=10).wait()).status == "failed"


async def test_an_image_that_somebody_removes_ends_it(world: FakeWorld) -> None:
    wait = trigger(world)
    world.images.clear()

    assert "removed" in (await wait.wait()).detail


async def test_a_removed_image_is_waited_for_until_it_is_gone(world: FakeWorld) -> None:
    made, kept = add_image(world, NAME), add_image(world, "data")
    await asyncio.to_thread(FakeImages(world).remove_image, made.image_id)
    began = world.clock.now
    wait = ImagesGoneTrigger(conn_id="c", image_ids=[made.image_id], deadline=began + 600)

    assert (await wait.wait()).status == "done"
    assert world.clock.now >= began + DELETES_S
    assert list(world.images) == [kept.image_id]
