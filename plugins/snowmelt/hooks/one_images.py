"""From pyone's objects to facts: images and VM templates."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from include.image_facts import CloudImage, CloudTemplate, ImageState
from snowmelt.hooks.one_records import vectors

FAMILY = "SNOWMELT_IMAGE"
VERSION = "SNOWMELT_VERSION"
SOURCE = "SNOWMELT_SOURCE"
RUN = "SNOWMELT_RUN"

# Numbers and names are those of `Image.h` in OpenNebula 7.4.
_STATES: dict[int, ImageState] = {
    0: "locked",  # INIT
    1: "ready",
    2: "used",
    3: "disabled",
    4: "locked",
    5: "error",
    6: "used",  # CLONE: it is being copied from
    7: "deleting",
    8: "used",  # USED_PERS
    9: "locked",  # LOCKED_USED
    10: "locked",  # LOCKED_USED_PERS
}
_MARKS = re.compile(r"ERROR MESSAGE\s*(--8<)?-+(>8--)?")


def cloud_image(image: Any) -> CloudImage:
    """Return one `<IMAGE>` of the pool or of `one.image.info`."""
    attributes = image.TEMPLATE or {}
    return CloudImage(
        image_id=int(image.ID),
        name=str(image.NAME),
        owner=str(image.UNAME),
        state=_STATES.get(int(image.STATE), "disabled"),
        datastore_id=int(image.DATASTORE_ID),
        registered_at=datetime.fromtimestamp(int(image.REGTIME), UTC),
        vms=int(image.RUNNING_VMS),
        persistent=bool(int(image.PERSISTENT)),
        family=str(attributes.get(FAMILY) or ""),
        version=str(attributes.get(VERSION) or ""),
        source=str(attributes.get(SOURCE) or ""),
        run=str(attributes.get(RUN) or ""),
        dev_prefix=str(attributes.get("DEV_PREFIX") or ""),
        message=_MARKS.sub("", str(attributes.get("ERROR") or "")).strip(),
    )


def cloud_template(template: Any) -> CloudTemplate:
    """Return one `<VMTEMPLATE>` of the pool or of `one.template.info`."""
    disks = vectors(template.TEMPLATE.get("DISK"))
    return CloudTemplate(
        template_id=int(template.ID),
        name=str(template.NAME),
        owner=str(template.UNAME),
        disks=tuple({key: str(value or "") for key, value in disk.items()} for disk in disks),
    )
