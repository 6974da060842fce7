"""Waits for OpenNebula's images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include.image_rules import gone_verdict, image_verdict
from include.verdict import Verdict
from snowmelt.hooks.opennebula_images import OpenNebulaImagesHook
from snowmelt.triggers.base import WaitTrigger
from snowmelt.triggers.snapshot import shared


@dataclass(kw_only=True, eq=False, repr=False)
class ImageReadyTrigger(WaitTrigger):
    """Wait until an image's copy is whole. Copies take minutes, so it looks every 5 s."""

    conn_id: str
    name: str
    image_id: int
    interval: float = 5.0

    async def check(self) -> Verdict:
        hook = OpenNebulaImagesHook(self.conn_id)
        key = ("image", self.conn_id, self.image_id)
        image = await shared(key, self.interval / 2, lambda: hook.image(self.image_id))
        return image_verdict(self.name, image)


@dataclass(kw_only=True, eq=False, repr=False)
class ImagesGoneTrigger(WaitTrigger):
    """Wait until removed images are no more shown: `one.image.delete` only begins it."""

    conn_id: str
    image_ids: Sequence[int]

    async def check(self) -> Verdict:
        hook = OpenNebulaImagesHook(self.conn_id)
        images = await shared(("images", self.conn_id), self.interval / 2, hook.images)
        return gone_verdict([image for image in images if image.image_id in self.image_ids])
