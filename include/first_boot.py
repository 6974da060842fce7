"""What a new VM is told: the CONTEXT that enrols it, and the script that acts on it."""

from __future__ import annotations

import base64
from pathlib import Path

from include.planner.names import HOSTNAME_MARK, RELEASE_MARK, SERVICE_MARK

RUNS = 3  # of the agent, at most, in the script's `configure`
START_SCRIPT = Path(__file__).with_name("first_boot.sh").read_text(encoding="utf-8")


def first_boot_context(  # noqa: PLR0913 - one CONTEXT key each, all of them by name
    *,
    fqdn: str,
    token: str,
    puppet_server: str,
    environment: str,
    role: str,
    service: str,
    release: str,
    slot: int,
) -> dict[str, str]:
    """Return the keys that Snowmelt adds to the CONTEXT of the VM template."""
    return {
        HOSTNAME_MARK: fqdn,
        "SNOWMELT_TOKEN": token,
        "PUPPET_SERVER": puppet_server,
        "PUPPET_ENVIRONMENT": environment,
        "PUPPET_ROLE": role,
        SERVICE_MARK: service,
        RELEASE_MARK: release,
        "SNOWMELT_SLOT": str(slot),
        "START_SCRIPT_BASE64": base64.b64encode(START_SCRIPT.encode()).decode(),
    }
