"""What lists of whole systems show that no look at one VM does: frozen values, as in `facts`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """An address of a network that is held for no VM (`one.vn.info`, LEASE with VM -1)."""

    network: str  # by name
    address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Monitored:
    """A host in monitoring that says which service of ours it belongs to."""

    name: str  # the VM's FQDN
    address: str
    service: str
    down_since: datetime | None = None  # it has failed all tries of its own check since then
