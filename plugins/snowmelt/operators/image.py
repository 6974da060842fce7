"""Bring in a new version of an image, and let VM templates point at it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from include.image_facts import CloudImage
from include.image_rules import image_verdict
from include.images import Refresh
from snowmelt.errors import Refused, SnowmeltError
from snowmelt.hooks.opennebula_images import OpenNebulaImagesHook
from snowmelt.operators.base import BRIEF_S, WaitOperator, deadline
from snowmelt.triggers.image import ImageReadyTrigger, ImagesGoneTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


# OpenNebula removes the files after its answer: seconds for a file, minutes for a large volume
REMOVAL = timedelta(minutes=10)


class ImageOperator(WaitOperator):
    """A step of a refresh. `refresh` is what the task `plan` returned."""

    template_fields: Sequence[str] = ("refresh",)

    def __init__(self, *, refresh: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.refresh = refresh

    @cached_property
    def decided(self) -> Refresh:
        """What was decided."""
        return Refresh.from_json(self.refresh["refresh"])

    @property
    def cloud(self) -> OpenNebulaImagesHook:
        """The OpenNebula that it is about."""
        return OpenNebulaImagesHook(self.refresh["cloud"])

    def unless_dry_run(self) -> None:
        """Skip the task in a dry run."""
        if self.refresh["dry_run"]:
            raise AirflowSkipException("dry run: nothing is changed")

    def remove(self, image: CloudImage) -> None:
        """Remove an image that VMs and VM templates leave alone."""
        self.log.info("%s image %s", self.cloud.remove_image(image.image_id), image.name)

    def wait_until_gone(self, context: Context, images: Sequence[CloudImage]) -> Any:
        """End the task when OpenNebula shows none of these images any more."""
        gone = ImagesGoneTrigger(
            conn_id=self.refresh["cloud"],
            image_ids=[image.image_id for image in images],
            deadline=deadline(REMOVAL),
        )
        return self.wait(context, gone, first_s=BRIEF_S)


class ImportImage(ImageOperator):
    """Bring the image in, or find the one that an earlier attempt did; wait until it is READY.

    One that fails is removed, so that the next try begins anew. Returns the trials, for the
    group that is mapped over them.
    """

    def execute(self, context: Context) -> Any:
        if self.refresh["dry_run"] or not self.decided.changes:
            self.log.info("nothing to bring in")
            return []
        image, outcome = self.cloud.ensure_image(self.decided.image)
        self.log.info("%s image %s (%s): %s", outcome, image.name, image.image_id, image.state)
        ready = ImageReadyTrigger(
            conn_id=self.refresh["cloud"],
            name=image.name,
            image_id=image.image_id,
            deadline=deadline(timedelta(seconds=self.refresh["deadline_s"])),
        )
        return self.wait(context, ready)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> list[dict[str, Any]]:
        if event["status"] != "done":
            self._remove_failed()
        self.settle(event)
        return [{"run": run, "vm": run["plan"]["new"][0]} for run in self.refresh["trials"]]

    def _remove_failed(self) -> None:
        name, cloud = self.decided.image.name, self.cloud
        for image in cloud.images():
            mine = (image.name, image.owner) == (name, cloud.user)
            if mine and image.state in ("error", "locked"):
                self.remove(image)


class PointTemplates(ImageOperator):
    """Let the VM templates point at the new image; every VM made from now on has it."""

    def execute(self, context: Context) -> Any:
        self.unless_dry_run()
        if self.decided.changes:
            self._must_be_ready()
        for change in self.decided.changes:
            outcome = self.cloud.ensure_disks(
                change.template_id, change.after, instead_of=change.before
            )
            self.log.info("%s disks of VM template %s", outcome, change.name)

    def _must_be_ready(self) -> None:
        """The trials took their time, and every VM from now on needs it."""
        name, cloud = self.decided.image.name, self.cloud
        found = [i for i in cloud.images() if (i.name, i.owner) == (name, cloud.user)]
        verdict = image_verdict(name, found[0] if found else None)
        if verdict.status != "done":
            raise (SnowmeltError if verdict.retryable else Refused)(verdict.detail)
