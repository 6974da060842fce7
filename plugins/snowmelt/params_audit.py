"""The form of `audit_fleet`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from airflow.sdk import Param

# a site that trusts its audits lets the hourly ones repair: then this says "true"
REPAIRS_BY_ITSELF = "SNOWMELT_AUDIT_REPAIR"


def audit_params(services: Sequence[str]) -> dict[str, Param]:
    """Return the parameters of the DAG; *services* are those of the catalogue."""
    chosen: dict[str, Any] = {"examples": list(services)} if services else {}
    if services:
        chosen["items"] = {"type": "string", "enum": list(services)}
    return {
        "repair": Param(
            os.environ.get(REPAIRS_BY_ITSELF, "").lower() == "true",
            type="boolean",
            title="Repair",
            description="Remove and mend what is safely ours, and replace VMs that died."
            " Off: only look, and print what a repair would do.",
        ),
        "services": Param(
            None,
            type=["null", "array"],
            title="Services",
            description="Only these. Empty: all. The brake looks at all of them anyway.",
            **chosen,
        ),
        "grace": Param(
            15,
            type="integer",
            minimum=0,
            maximum=7 * 24 * 60,
            title="Grace (minutes)",
            description="What is not known for that long is left alone. Most systems do not tell"
            " since when a thing is there; then it counts since an audit first saw it.",
        ),
        "max_down": Param(
            20,
            type="integer",
            minimum=1,
            maximum=100,
            title="Brake (percent)",
            description="When more of the fleet's VMs are down than this, stop and ask.",
        ),
    }
