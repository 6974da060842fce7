"""Take a refresh back: templates point where they did, and the new image goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from include.image_facts import CloudImage
from include.image_rules import made_for, users
from include.images import Change, Images
from snowmelt.errors import Busy
from snowmelt.failures import failed_before
from snowmelt.operators.image import ImageOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class UndoRefresh(ImageOperator):
    """After a failure: templates point where they did, and the new image goes.

    Templates at once. The image when no step acts any more: one that somebody has marked as failed
    works on until it hears of it, and might point a template at an image that has gone.
    """

    def execute(self, context: Context) -> Any:
        if not self.refresh or not failed_before(self, context):
            raise AirflowSkipException("nothing failed")
        self._undo_templates()
        return self.wait_for_late_steps(context, then="remove_made")

    def remove_made(self, context: Context, event: dict[str, Any]) -> Any:
        """Look again, then remove the image and wait for its end."""
        made = self._undo_templates()
        for image in made:
            self._remove_unused(image)
        return self.wait_until_gone(context, made)

    def _undo_templates(self) -> Sequence[CloudImage]:
        """Let them point where they did; returns the images that this run has made."""
        images = self.cloud.images()
        made = made_for(self.decided.image, images, self.cloud.user)
        if not self._is_anothers(images, made):
            self._point_back(images)
        return made

    def _is_anothers(self, images: Sequence[CloudImage], made: Sequence[CloudImage]) -> bool:
        """Say whether the image of that name is another run's, and so are those who point at it.

        Disks name their image, so templates that a later run pointed look like ours.
        """
        name = self.decided.image.name
        others = [i for i in images if (i.name, i.owner) == (name, self.cloud.user)]
        if anothers := others != list(made):
            self.log.warning("image %s is not of this run: who points at it stays", name)
        return anothers

    def _point_back(self, images: Sequence[CloudImage]) -> None:
        there = Images([i for i in images if i.state != "deleting"], self.cloud.user)
        for change in self._followed():
            if lost := _lost(change, there):
                self.log.error("VM template %s stays: %s has gone", change.name, ", ".join(lost))
                continue
            outcome = self.cloud.ensure_disks(
                change.template_id, change.before, instead_of=change.after
            )
            self.log.info("%s disks of VM template %s, as before", outcome, change.name)

    def _followed(self) -> list[Change]:
        """What somebody else changed or removed meanwhile stays as it is."""
        disks = {t.template_id: t.disks for t in self.cloud.templates()}
        return [c for c in self.decided.changes if disks.get(c.template_id) == c.after]

    def _remove_unused(self, image: CloudImage) -> None:
        if by := users(image, self.cloud.templates(), self.cloud.user):
            raise Busy(f"image {image.name} is still used by {', '.join(by)}")
        self.remove(image)


def _lost(change: Change, there: Images) -> list[str]:
    """Return the images that a VM template pointed at before, and that are no longer there."""
    disks = zip(change.before, change.after, strict=True)
    lost = (old for old, new in disks if old != new and not there.of(old))
    return [disk.get("IMAGE") or f"image {disk.get('IMAGE_ID')}" for disk in lost]
