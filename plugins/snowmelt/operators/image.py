"""Bring in a new version of an image, and let VM templates point at it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from include.image_facts import CloudImage
from include.image_rules import image_verdict, made_for, removable, users
from include.images import Change, Images, Refresh
from snowmelt.catalogue import templates_named
from snowmelt.errors import Busy, Missing, Refused, SnowmeltError
from snowmelt.failures import failed_steps
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


class CleanImages(ImageOperator):
    """Remove the versions that were superseded and that no VM uses any more."""

    def execute(self, context: Context) -> Any:
        self.unless_dry_run()
        asked, failed = clean_images(self, self.cloud)
        for error in failed:
            self.log.warning("superseded images stay, until `clean_up` can: %s", error)
        self.wait_until_gone(context, asked)


class UndoRefresh(ImageOperator):
    """After a failure: templates point where they did, and the new image goes.

    Templates at once. The image when no step acts any more: one that somebody has marked as failed
    works on until it hears of it, and might point a template at an image that has gone.
    """

    def execute(self, context: Context) -> Any:
        if not self.refresh or not self._failed(context):
            raise AirflowSkipException("nothing failed")
        self._undo_templates()
        return self.wait_for_late_steps(context, then="remove_made")

    def _failed(self, context: Context) -> tuple[str, ...]:
        ti = context["ti"]
        before = sorted(self.upstream_task_ids)
        return failed_steps(ti.dag_id, ti.run_id, before, ti.get_task_states)

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


def clean_images(
    task: BaseOperator, cloud: OpenNebulaImagesHook
) -> tuple[list[CloudImage], list[SnowmeltError]]:
    """Ask for the end of the images of ours that may go, and say which ones stay for whom.

    Returns the images that go, and why others stay that should go: one that is locked keeps no
    other. Nothing goes where a VM template of the catalogue is not shown: it may need any of them.
    """
    images, templates = cloud.images(), cloud.templates()
    if hidden := sorted(templates_named(cloud.conn_id) - {t.name for t in templates}):
        told = f"{cloud.conn_id} does not show the VM template {', '.join(hidden)}, which the"
        return [], [Missing(f"{told} catalogue names: no image goes, as it may use any of them")]
    asked, failed = list[CloudImage](), list[SnowmeltError]()
    for image in removable(images, templates, cloud.user, datetime.now(UTC)):
        try:
            task.log.info("%s image %s", cloud.remove_image(image.image_id), image.name)
            asked.append(image)
        except Busy as busy:  # a VM took it up meanwhile
            task.log.info("image %s stays: %s", image.name, busy)
        except SnowmeltError as error:
            failed.append(error)
    for image in images:
        if image.family and (by := users(image, templates, cloud.user)):
            task.log.info("image %s is used by %s", image.name, ", ".join(by))
    return asked, failed
