"""Decide how VM templates come to a new version of their image. Pure functions only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from include.catalogue.model import Service
from include.image_facts import CloudImage, CloudTemplate, Disk, ImageSpec


class CannotRefresh(ValueError):
    """What was asked for cannot be done; the text says what there is instead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a run asks for."""

    family: str
    version: str
    path: str = ""
    app: int | None = None
    run: str = ""  # of `refresh_image`, in the word that its image is marked with

    def __post_init__(self) -> None:
        if bool(self.path) == (self.app is not None):
            raise CannotRefresh("name a path (or URL), or a marketplace app: one of the two")


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One VM template, its disks before and after, and the service that tries it first."""

    template_id: int
    name: str
    before: tuple[Disk, ...]
    after: tuple[Disk, ...]
    service: str

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the change that `asdict` made *data* of."""
        disks = {key: tuple(data[key]) for key in ("before", "after")}
        return cls(**{**data, **disks})


@dataclass(frozen=True, kw_only=True, slots=True)
class Refresh:
    """The decision: which image comes, which it follows, and which templates will point at it."""

    image: ImageSpec
    follows: str
    changes: tuple[Change, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the decision as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the decision that `to_json` made *data* of."""
        return cls(
            image=ImageSpec(**data["image"]),
            follows=data["follows"],
            changes=tuple(Change.from_json(each) for each in data["changes"]),
        )

    def __str__(self) -> str:
        templates = ", ".join(c.name for c in self.changes) or "none: all point at it already"
        source = self.image.source
        return f"{self.image.name} from {source} follows {self.follows}; VM templates: {templates}"


def plan_refresh(
    wish: Wish,
    services: Iterable[Service],
    templates: Sequence[CloudTemplate],
    images: Sequence[CloudImage],
    owner: str,
) -> Refresh:
    """Return what has to change so that the *services* are made from the wished version.

    *owner* is the user whose image it will be, and who instantiates the templates.
    """
    named = Images(images, owner)
    in_use = _in_use(services, templates, owner)
    followed = [
        image
        for template, _ in in_use
        for disk in template.disks
        if (image := named.of_family(disk, wish.family))
    ]
    if not followed:
        raise CannotRefresh(_nothing_uses(wish.family, in_use, named))
    last = max(followed, key=lambda image: image.image_id)
    spec = ImageSpec(
        family=wish.family,
        version=wish.version,
        path=wish.path,
        app=wish.app,
        datastore_id=last.datastore_id,
        dev_prefix=last.dev_prefix,
        run=wish.run,
    )
    changes = [_change(template, service, spec, named) for template, service in in_use]
    return Refresh(
        image=spec,
        follows=last.name,
        changes=tuple(change for change in changes if change.before != change.after),
    )


class Images:
    """Images by the names under which the disks of VM templates know them."""

    def __init__(self, images: Iterable[CloudImage], owner: str) -> None:
        self.owner = owner
        self._by_id = {str(image.image_id): image for image in images}
        self._by_name = {(image.owner, image.name): image for image in self._by_id.values()}

    def of(self, disk: Disk) -> CloudImage | None:
        """Return a disk's image; a name without an owner is one of who instantiates."""
        if "IMAGE_ID" in disk:
            return self._by_id.get(disk["IMAGE_ID"])
        return self._by_name.get((disk.get("IMAGE_UNAME", self.owner), disk.get("IMAGE", "")))

    def of_family(self, disk: Disk, family: str) -> CloudImage | None:
        """Return a disk's image if it is a version of *family*; the first was made by hand."""
        image = self.of(disk)
        return image if image and family in (image.family, image.name) else None


def pointed_at(disk: Disk, image: str, owner: str) -> dict[str, str]:
    """Return the disk with another image; all else that it says stays."""
    rest = {key: value for key, value in disk.items() if not key.startswith("IMAGE")}
    return {"IMAGE": image, "IMAGE_UNAME": owner, **rest}


def _in_use(
    services: Iterable[Service], templates: Sequence[CloudTemplate], owner: str
) -> list[tuple[CloudTemplate, Service]]:
    """Return the templates in use, each with the service that tries it.

    One that runs VMs, and before all one that stays: what somebody asked for may end meanwhile.
    """
    found: dict[int, tuple[CloudTemplate, Service]] = {}
    for service in sorted(services, key=_who_tries):
        template = _template(service.opennebula.template, templates, owner)
        if template is not None:
            found.setdefault(template.template_id, (template, service))
    return list(found.values())


def _who_tries(service: Service) -> tuple[bool, bool, str]:
    return service.expires_at is not None, service.replicas == 0, service.name


def _template(name: str, templates: Sequence[CloudTemplate], owner: str) -> CloudTemplate | None:
    """Return the template of a name as an instantiation finds it: our own, else the only one."""
    named = [template for template in templates if template.name == name]
    own = [template for template in named if template.owner == owner]
    return own[0] if own else named[0] if len(named) == 1 else None


def _change(template: CloudTemplate, service: Service, spec: ImageSpec, named: Images) -> Change:
    after = tuple(
        pointed_at(disk, spec.name, named.owner) if _follows(disk, spec, named) else dict(disk)
        for disk in template.disks
    )
    return Change(
        template_id=template.template_id,
        name=template.name,
        before=template.disks,
        after=after,
        service=service.name,
    )


def _follows(disk: Disk, spec: ImageSpec, named: Images) -> bool:
    image = named.of_family(disk, spec.family)
    return image is not None and (image.name, image.owner) != (spec.name, named.owner)


def _nothing_uses(
    family: str, in_use: Sequence[tuple[CloudTemplate, Service]], named: Images
) -> str:
    there = sorted(
        {
            f"{image.family or image.name} ({template.name})"
            for template, _ in in_use
            for disk in template.disks
            if (image := named.of(disk))
        }
    )
    return (
        f"no VM template of the catalogue's services uses an image {family!r};"
        f" they use: {', '.join(there) or 'none that we may see'}"
    )
