"""What an image's state means for who waits, and which images may go. Pure functions only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from include.image_facts import CloudImage, CloudTemplate, ImageSpec
from include.images import Images
from include.verdict import Verdict, done, failed, pending

# A newer image that nothing uses is one that is just being brought in, or was left by a crash.
PATIENCE = timedelta(days=1)


def image_verdict(name: str, image: CloudImage | None) -> Verdict:
    """Can VMs be made from the image?"""
    if image is None:
        return failed(f"image {name} was removed by somebody")
    where = f"image {name} ({image.image_id}) is {image.state}"
    if image.state == "locked":
        return pending(f"{where}: OpenNebula is copying it")
    if image.persistent:
        return failed(f"{where} and persistent: one VM at a time could use it")
    if image.state in ("ready", "used"):
        return done(where)
    told = f"{where}: {image.message}" if image.message else where
    return failed(told, retryable=image.state != "disabled")


def gone_verdict(left: Sequence[CloudImage]) -> Verdict:
    """Are the images gone that OpenNebula was asked to remove? *left* are those that it shows."""
    if not left:
        return done("nothing is left of what was removed")
    told = ", ".join(
        f"image {i.name} ({i.image_id}) is {i.state} {i.message}".strip() for i in left
    )
    if all(image.state == "deleting" for image in left):
        return pending(told)
    return failed(f"not removed: {told}", retryable=True)


def made_for(spec: ImageSpec, images: Sequence[CloudImage], owner: str) -> tuple[CloudImage, ...]:
    """Return the image that was brought in by this very run, which alone may take it back.

    One of the same name may have been there before, by hand or from another run.
    """
    mark = (spec.name, owner, spec.run)
    return tuple(i for i in images if spec.run and (i.name, i.owner, i.run) == mark)


def users(image: CloudImage, templates: Sequence[CloudTemplate], owner: str) -> tuple[str, ...]:
    """Return who uses an image, in words: VMs, and VM templates that point at it."""
    vms = [f"{image.vms} VMs"] if image.vms else []
    return (*vms, *(f"VM template {t.name}" for t in pointing(image, templates, owner)))


def brought_in(image: CloudImage, owner: str) -> bool:
    """Return whether an image is ours: a clone has all our attributes, and another name."""
    name = f"{image.family}-{image.version}"
    return bool(image.family) and (image.name, image.owner) == (name, owner)


def idle(
    images: Sequence[CloudImage], templates: Sequence[CloudTemplate], owner: str
) -> tuple[CloudImage, ...]:
    """Return the images of ours, brought in by us, that nothing uses."""
    ours = (image for image in images if brought_in(image, owner))
    unused = (image for image in ours if not users(image, templates, owner))
    return tuple(image for image in unused if image.state != "deleting")


def removable(
    images: Sequence[CloudImage], templates: Sequence[CloudTemplate], owner: str, now: datetime
) -> tuple[CloudImage, ...]:
    """Return the idle images of ours that may go: those that were superseded.

    One that is newer than what its family's templates point at may be on its way into them; it
    goes when it is a day old.
    """
    pointed = {
        image.family: image.image_id
        for image in sorted(images, key=lambda image: image.image_id)
        if brought_in(image, owner) and pointing(image, templates, owner)
    }
    return tuple(
        image
        for image in idle(images, templates, owner)
        if image.image_id < pointed.get(image.family, 0) or now - image.registered_at > PATIENCE
    )


def pointing(
    image: CloudImage, templates: Sequence[CloudTemplate], owner: str
) -> tuple[CloudTemplate, ...]:
    """Return the VM templates that point at an image."""
    named = Images([image], owner)
    return tuple(t for t in templates if any(named.of(disk) for disk in t.disks))
