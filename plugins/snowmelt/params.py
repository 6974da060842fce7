"""The form of a rollout: what a person may ask for, and how it is checked before a run starts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param

from include.catalogue.model import MOST_VMS, Service
from snowmelt.why import say_why

# a step that fails for a passing reason is tried again after 5 s, then 10, 20, 40 and 60 s
DEFAULTS: dict[str, Any] = {
    "retries": 5,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=1),
    "on_failure_callback": say_why,
}

# what Debian and RPM accept as a version; Python's `$` alone would let a newline follow
VERSION = r"^[0-9][A-Za-z0-9.+~:-]*$(?!\n)"


def rollout_params(service: Service) -> dict[str, Param]:
    """Return the parameters of the service's rollout DAG, in the order of the form."""
    return {
        "release": Param(
            None,
            type=["null", "string"],
            pattern=VERSION,
            maxLength=64,
            title="Release",
            description=f"Release of {service.package.name}. Empty: the one that serves now.",
        ),
        "replicas": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            maximum=MOST_VMS,
            title="VMs",
            description=f"How many VMs. Empty: {service.replicas}, as in the catalogue."
            " 0 retires the service.",
        ),
        "replace": Param(
            "all",
            type="string",
            enum=["all", "outdated", "none"],
            title="Replace",
            description="Which VMs are replaced: all of them, those of another release or too"
            " old, or none (only the number changes).",
        ),
        "slots": Param(
            [],
            type="array",
            items={"type": "integer", "minimum": 0, "maximum": MOST_VMS - 1},
            uniqueItems=True,
            title="Slots",
            description="Replace only the VMs in these slots. Empty: in all of them.",
        ),
        **common_params(),
    }


def common_params() -> dict[str, Param]:
    """Return what can be said of every rollout, whichever door it comes through."""
    return {
        "dry_run": Param(
            False, type="boolean", title="Dry run", description="Print the plan, change nothing."
        ),
        "reason": Param(
            None,
            type=["null", "string"],
            maxLength=500,
            title="Reason",
            description="Why, for those who read this run later.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Force",
            description="Go beyond the limits on how much one plan may retire.",
        ),
    }
