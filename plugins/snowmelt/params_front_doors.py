"""The forms of the front doors: what a person may ask for, checked before a run starts."""

from __future__ import annotations

from collections.abc import Sequence

from airflow.sdk import Param

from include.catalogue.model import MOST_VMS
from include.front_doors import FrontDoor
from snowmelt.params import VERSION, common_params


def front_door_params(door: FrontDoor, services: Sequence[str]) -> dict[str, Param]:
    """Return the parameters of a front door, in the order of its form."""
    own = _fields()
    return {
        "service": service_param(services),
        **{name: own[name] for name in door.fields},
        **common_params(),
    }


def service_param(services: Sequence[str], what: str = "One of the catalogue.") -> Param:
    """Return the field that picks a service from a list."""
    return Param(type="string", enum=list(services), title="Service", description=what)


def _fields() -> dict[str, Param]:
    return {
        "release": Param(
            type="string",
            pattern=VERSION,
            maxLength=64,
            title="Release",
            description="The release that all VMs are to run.",
        ),
        "replace": Param(
            "all",
            type="string",
            enum=["all", "outdated"],
            title="Replace",
            description="All VMs, or those of another release or too old.",
        ),
        "replicas": Param(
            type="integer",
            minimum=1,
            maximum=MOST_VMS,
            title="VMs",
            description="How many VMs. To have none, retire the service.",
        ),
        "confirm": Param(
            type="string",
            title="The service's name once more",
            description="This takes everything of the service away.",
        ),
        "vm": Param(
            type="string",
            maxLength=253,
            title="VM",
            description="Its name now, such as shop-k3f7x2q-0, or the slot that it fills, such as"
            " 0.",
        ),
    }
