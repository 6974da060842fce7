"""Waits for monitoring, one look for all VMs of a rollout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include.facts import HostHealth
from include.verdict import Verdict
from include.waits import health_verdict
from snowmelt.hooks.monitoring import monitoring_for
from snowmelt.triggers.base import WaitTrigger
from snowmelt.triggers.snapshot import shared


async def healths(conn_id: str, names: Sequence[str], max_age_s: float) -> Sequence[HostHealth]:
    """Return what monitoring says of *names*, by one look for all who ask for the same names."""
    wanted = tuple(sorted(names))
    return await shared(
        ("health", conn_id, wanted), max_age_s, lambda: monitoring_for(conn_id).health(wanted)
    )


@dataclass(kw_only=True, eq=False, repr=False)
class HealthyTrigger(WaitTrigger):
    """Wait until all checks of a VM have run and are ok."""

    conn_id: str
    fqdn: str
    peers: list[str]
    interval: float = 1.0

    async def check(self) -> Verdict:
        known = await healths(self.conn_id, self.peers, self.interval / 2)
        mine = next((h for h in known if h.name == self.fqdn), None)
        return health_verdict(self.fqdn, mine)
