"""The forms by which people ask for a VM of their own, and keep it longer."""

from __future__ import annotations

from collections.abc import Sequence

from airflow.sdk import Param

from include.catalogue.requests import RequestPolicy
from include.catalogue.types import write_duration
from snowmelt.params import VERSION
from snowmelt.params_front_doors import service_param

_NAME = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$(?!\n)"
_LIFETIME = r"^[1-9][0-9]{0,5}(m|h|d)$(?!\n)"


def request_params(policy: RequestPolicy) -> dict[str, Param]:
    """Return the form of `request_vm`."""
    return {
        "owner": _text("Owner", "Who answers for it: a person or a team."),
        "purpose": _text("Purpose", "What it is for, for those who wonder later."),
        "offer": Param(
            type="string",
            enum=sorted(policy.offers),
            title="What",
            description="A plain machine, or one with a release package.",
        ),
        "size": Param(
            type="string", enum=list(policy.sizes), title="Size", description=_sizes(policy)
        ),
        "release": Param(
            None,
            type=["null", "string"],
            pattern=VERSION,
            maxLength=64,
            title="Release",
            description="Of the package. Empty: the one of the offer.",
        ),
        "lifetime": lifetime_param(policy),
        "name": Param(
            None,
            type=["null", "string"],
            pattern=_NAME,
            title="Name",
            description="What its names begin with. Empty: vm- and something unique.",
        ),
    }


def extension_params(policy: RequestPolicy, services: Sequence[str]) -> dict[str, Param]:
    """Return the form of `extend_request`."""
    return {
        "service": service_param(services, "One that somebody asked for."),
        "lifetime": lifetime_param(policy),
        "reason": Param(
            None,
            type=["null", "string"],
            maxLength=500,
            title="Reason",
            description="Why, for those who read this run later.",
        ),
    }


def end_params(services: Sequence[str]) -> dict[str, Param]:
    """Return the form of `expire_requests`; its scheduled runs leave it empty."""
    return {
        "end_now": Param(
            None,
            type=["null", "string"],
            enum=[None, *services],
            title="End now",
            description="What somebody asked for and needs no longer. Empty: only what has ended.",
        )
    }


def lifetime_param(policy: RequestPolicy) -> Param:
    """Return the field that says for how long, from now on."""
    return Param(
        write_duration(policy.lifetime),
        type="string",
        pattern=_LIFETIME,
        title="Lifetime",
        description=f"From now on: 90m, 12h, 7d. At most {write_duration(policy.longest)}.",
    )


def _sizes(policy: RequestPolicy) -> str:
    return "; ".join(
        f"{name}: {size.vcpu} CPU, {size.memory_mb} MB" for name, size in policy.sizes.items()
    )


def _text(title: str, description: str) -> Param:
    return Param(type="string", minLength=1, maxLength=400, title=title, description=description)
