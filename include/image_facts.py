"""What is seen of images and VM templates: frozen values, without any client behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

ImageState = Literal["locked", "ready", "used", "disabled", "error", "deleting"]
Disk = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSpec:
    """An image to be brought in: from a path or URL, or from a marketplace app."""

    family: str  # "debian-12"; its versions follow each other in the VM templates
    version: str
    path: str  # of the front-end, or a URL; empty where it comes from an app
    app: int | None  # id of the marketplace app
    datastore_id: int
    dev_prefix: str = ""  # names of the guest's disks; empty: OpenNebula's default
    run: str = ""  # that brings it in, and may take it back

    @property
    def name(self) -> str:
        """The image's one identity: whoever brings in this version again finds it."""
        return f"{self.family}-{self.version}"

    @property
    def source(self) -> str:
        """Where it comes from, in one word, as it is written into the image."""
        return self.path if self.app is None else f"app:{self.app}"

    def to_json(self) -> dict[str, Any]:
        """Return the spec as plain data."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudImage:
    """An image as OpenNebula shows it (`one.imagepool.info`)."""

    image_id: int
    name: str
    owner: str
    state: ImageState
    datastore_id: int
    registered_at: datetime
    vms: int = 0  # that use it, on hold or running
    persistent: bool = False  # one VM at a time could use it
    family: str = ""  # SNOWMELT_IMAGE; empty: it was not brought in by us
    version: str = ""
    source: str = ""
    dev_prefix: str = ""
    run: str = ""  # that brought it in
    message: str = ""  # why it is in state ERROR


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudTemplate:
    """A VM template, as far as its disks go (`one.templatepool.info`)."""

    template_id: int
    name: str
    owner: str
    disks: tuple[Disk, ...] = field(default=())
