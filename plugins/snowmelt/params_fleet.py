"""The form of the fleet's rotation."""

from __future__ import annotations

from airflow.sdk import Param

from include.catalogue import service_names
from include.catalogue.types import DAY


def rotation_params() -> dict[str, Param]:
    """Return the parameters of `rotate_fleet`, in the order of the form."""
    return {
        "services": Param(
            None,
            type=["null", "array"],
            items={"type": "string", "enum": list(service_names())},
            examples=list(service_names()),
            title="Services",
            description="Rotate only these. Empty: all of them.",
        ),
        "spread": Param(
            None,
            type=["null", "boolean"],
            title="Spread",
            description="Each service at its own minute. Empty: the daily run does, a run that"
            " somebody starts does not.",
        ),
        "again": Param(
            False,
            type="boolean",
            title="Again",
            description="Try services once more whose rotation has failed today.",
        ),
        "at_once": _limit("Services at once", "How many are under way at once."),
        "failures": _limit("Failures", "After how many failed services nothing more is started."),
        "day": Param(
            None,
            type=["null", "string"],
            pattern=rf"^{DAY}$(?!\n)",
            title="Day",
            description="Go on with the rotation of that day, up to the next proof."
            " Empty: that of the last start.",
        ),
        "dry_run": Param(
            False, type="boolean", title="Dry run", description="Print the plan, start nothing."
        ),
    }


def _limit(title: str, description: str) -> Param:
    return Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title=title,
        description=f"{description} Empty: as `fleet.yaml` says.",
    )
