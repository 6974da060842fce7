"""Remove the versions of images that were superseded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from include.image_facts import CloudImage
from include.image_rules import removable, users
from snowmelt.catalogue import templates_named
from snowmelt.errors import Busy, Missing, SnowmeltError
from snowmelt.hooks.opennebula_images import OpenNebulaImagesHook
from snowmelt.operators.image import ImageOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class CleanImages(ImageOperator):
    """Remove the versions that were superseded and that no VM uses any more."""

    def execute(self, context: Context) -> Any:
        self.unless_dry_run()
        asked, failed = clean_images(self, self.cloud)
        for error in failed:
            self.log.warning("superseded images stay, until `clean_up` can: %s", error)
        self.wait_until_gone(context, asked)


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
