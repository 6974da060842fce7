"""A stand-in for the hook of images and VM templates, over the cloud in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from include.image_facts import CloudImage, CloudTemplate, Disk, ImageSpec
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict
from tests.plugins.snowmelt.fake_machines import FakeOpenNebula, verb
from tests.plugins.snowmelt.world import FakeWorld

USER = "oneadmin"
COPIES_S = 30.0
DELETES_S = 8.0


class FakeImages(FakeOpenNebula):
    user = USER

    @verb
    def images(self) -> tuple[CloudImage, ...]:
        return self._there()

    @verb
    def image(self, image_id: int) -> CloudImage | None:
        known = self.world.images.get(image_id)
        return self._shown(known) if known else None

    @verb
    def templates(self) -> tuple[CloudTemplate, ...]:
        return tuple(self.world.templates.values())

    @verb
    def ensure_image(self, spec: ImageSpec) -> tuple[CloudImage, Outcome]:
        for image in self._there():
            if image.name == spec.name and not image.family:
                raise Conflict(f"{image.name} was made by hand")
            if image.name == spec.name:
                return image, Outcome.UNCHANGED
        made = add_image(self.world, spec.name, family=spec.family, version=spec.version)
        self.world.images[made.image_id] = replace(made, state="locked", run=spec.run)
        self.tell(f"import {spec.name} from {spec.source}")
        return self.world.images[made.image_id], Outcome.CREATED

    @verb
    def remove_image(self, image_id: int) -> Outcome:
        known = self.world.images.get(image_id)
        if known is None:
            return Outcome.UNCHANGED
        shown = self._shown(known)
        if shown is None or shown.state == "deleting":
            return Outcome.UNCHANGED
        if shown.vms:
            raise Busy(f"{known.name} is in use")
        self.world.images[image_id] = replace(known, state="deleting")
        self.world.removed_at[image_id] = self.world.clock.now
        self.tell(f"remove image {known.name}")
        return Outcome.REMOVED

    @verb
    def ensure_disks(
        self, template_id: int, disks: Sequence[Disk], *, instead_of: Sequence[Disk]
    ) -> Outcome:
        known = self.world.templates[template_id]
        if known.disks == tuple(disks):
            return Outcome.UNCHANGED
        if known.disks != tuple(instead_of):
            raise Conflict(f"somebody has changed {known.name}")
        self.world.templates[template_id] = replace(known, disks=tuple(disks))
        self.tell(f"point {known.name} at {', '.join(disk['IMAGE'] for disk in disks)}")
        return Outcome.CREATED

    def _there(self) -> tuple[CloudImage, ...]:
        shown = map(self._shown, list(self.world.images.values()))
        return tuple(image for image in shown if image)

    def _shown(self, image: CloudImage) -> CloudImage | None:
        if image.state == "deleting" and self._removed(image):
            return self.world.images.get(image.image_id)
        if image.state == "locked" and self.world.clock.now >= _epoch(image) + COPIES_S:
            image = replace(image, **_copied(bad=image.name in self.world.bad_images))
            self.world.images[image.image_id] = image
        users = [vm for vm in self._pool() if image.name in images_of(self.world, vm.vm_id)]
        return replace(image, vms=len(users))

    def _removed(self, image: CloudImage) -> bool:
        if self.world.clock.now < self.world.removed_at[image.image_id] + DELETES_S:
            return False
        if image.name in self.world.stuck_images:
            stuck = replace(image, state="error", message="cannot remove it")
            self.world.images[image.image_id] = stuck
        else:
            del self.world.images[image.image_id]
        return True


def _copied(*, bad: bool) -> dict[str, Any]:
    return {"state": "error", "message": "no such file"} if bad else {"state": "ready"}


def add_image(
    world: FakeWorld, name: str, *, family: str = "", version: str = "", age_s: float = 0.0
) -> CloudImage:
    """Put an image there that can be used; one without a family was made by hand."""
    image_id = max(world.images, default=-1) + 1
    image = CloudImage(
        image_id=image_id,
        name=name,
        owner=USER,
        state="ready",
        datastore_id=1,
        registered_at=datetime.fromtimestamp(world.clock.now - age_s, UTC),
        family=family,
        version=version,
    )
    world.images[image_id] = image
    return image


def add_template(world: FakeWorld, name: str, *images: str) -> CloudTemplate:
    """Put a VM template there with a disk of each of these images."""
    disks = tuple({"IMAGE": image, "IMAGE_UNAME": USER, "SIZE": "900"} for image in images)
    template = CloudTemplate(template_id=len(world.templates), name=name, owner=USER, disks=disks)
    world.templates[template.template_id] = template
    return template


def images_of(world: FakeWorld, vm_id: int) -> list[str]:
    """Return the images that a VM's disks were made from."""
    return [disk["IMAGE"] for disk in world.vms[vm_id].disks]


def _epoch(image: CloudImage) -> float:
    return image.registered_at.timestamp()
