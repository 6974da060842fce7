"""OpenNebula's images, and the disks of its VM templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from include.image_facts import CloudImage, CloudTemplate, Disk, ImageSpec
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict, Missing, Refused, SnowmeltError, Unreachable
from snowmelt.hooks.one_images import FAMILY, RUN, SOURCE, VERSION, cloud_image, cloud_template
from snowmelt.hooks.one_template import Value, template_xml
from snowmelt.hooks.opennebula import OpenNebulaHook

_VISIBLE_ALL = (-2, -1, -1)  # everything that this user may see
_MERGE = 1  # one.template.update: replaces the attributes that are named, and no others


class OpenNebulaImagesHook(OpenNebulaHook):
    """The same front-end and Connection as for VMs.

    The account needs CREATE IMAGE, USE of the datastore, and MANAGE of the VM templates.
    """

    @property
    def user(self) -> str:
        """Who owns what is made here."""
        return str(self.connection.login)

    def images(self) -> tuple[CloudImage, ...]:
        """Return all images that we may see, lowest id first, in one call."""
        found = map(cloud_image, self._one.imagepool.info(*_VISIBLE_ALL).IMAGE)
        return tuple(sorted(found, key=lambda image: image.image_id))

    def image(self, image_id: int) -> CloudImage | None:
        """Return one image; None when it is gone."""
        try:
            return cloud_image(self._one.image.info(image_id))
        except Missing:
            return None

    def templates(self) -> tuple[CloudTemplate, ...]:
        """Return all VM templates that we may see, in one call."""
        return tuple(map(cloud_template, self._one.templatepool.info(*_VISIBLE_ALL).VMTEMPLATE))

    def ensure_image(self, spec: ImageSpec) -> tuple[CloudImage, Outcome]:
        """Begin to bring an image in unless its version is there; it is copied after that.

        Names of images are unique for each owner, so of two who try at once one is refused, and
        adopts. `Conflict` when the name is taken by another image.
        """
        seen = self._adoptable(spec)
        if seen is not None:
            return seen, Outcome.UNCHANGED
        try:
            self._one.image.allocate(template_xml(_attributes(spec)), spec.datastore_id)
        except (Unreachable, Refused):  # the answer was lost, or another try was faster
            seen = self._adoptable(spec)
            if seen is None:
                raise
            return seen, Outcome.UNCHANGED
        seen = self._adoptable(spec)
        if seen is None:
            raise Busy(f"image {spec.name} was made and is not in the list yet")
        return seen, Outcome.CREATED

    def remove_image(self, image_id: int) -> Outcome:
        """Ask for an image's end; `Busy` while a VM uses it. It stays readable for a moment.

        One that is still being copied is removed by force: its copy may hang for ever.
        """
        seen = self.image(image_id)
        if seen is None or seen.state == "deleting":
            return Outcome.UNCHANGED
        try:
            self._one.image.delete(image_id, seen.state == "locked")
        except Missing:
            return Outcome.UNCHANGED
        return Outcome.REMOVED

    def ensure_disks(
        self, template_id: int, disks: Sequence[Disk], *, instead_of: Sequence[Disk]
    ) -> Outcome:
        """Give a VM template these disks; all else in it stays as it is.

        `Conflict` when its disks are no more those that they are to replace.
        """
        wanted, seen = tuple(dict(disk) for disk in disks), self._disks(template_id)
        if seen == wanted:
            return Outcome.UNCHANGED
        if seen != tuple(dict(disk) for disk in instead_of):
            raise Conflict(
                f"somebody has changed the disks of VM template {template_id} since they were"
                " looked at: plan anew"
            )
        self._one.template.update(template_id, template_xml({"DISK": wanted}), _MERGE)
        if self._disks(template_id) != wanted:
            raise SnowmeltError(f"VM template {template_id} does not show its new disks yet")
        return Outcome.CREATED

    def _disks(self, template_id: int) -> tuple[dict[str, Any], ...]:
        seen = cloud_template(self._one.template.info(template_id))
        return tuple(dict(disk) for disk in seen.disks)

    def _adoptable(self, spec: ImageSpec) -> CloudImage | None:
        named = [i for i in self.images() if i.name == spec.name and i.owner == self.user]
        if not named:
            return None
        (seen,) = named
        if seen.state == "deleting":
            raise Busy(f"image {spec.name} ({seen.image_id}) is still being removed")
        if (seen.family, seen.version, seen.source) != (spec.family, spec.version, spec.source):
            raise Conflict(
                f"image {spec.name} ({seen.image_id}) is there and comes from"
                f" {seen.source or 'somebody by hand'}, not from {spec.source}:"
                " give the new one another version"
            )
        return seen


def _attributes(spec: ImageSpec) -> dict[str, Value]:
    source: dict[str, Value] = {"PATH": spec.path} if spec.app is None else {"FROM_APP": spec.app}
    prefix: dict[str, Value] = {"DEV_PREFIX": spec.dev_prefix} if spec.dev_prefix else {}
    return {
        "NAME": spec.name,
        "TYPE": "OS",
        "PERSISTENT": "NO",
        **source,
        **prefix,
        FAMILY: spec.family,
        VERSION: spec.version,
        SOURCE: spec.source,
        RUN: spec.run,
    }
