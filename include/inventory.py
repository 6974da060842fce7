"""What lists of whole systems show that no look at one VM does: frozen values, as in `facts`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """An address of a network that is taken and serves no VM (`one.vn.info`, LEASE)."""

    network: str  # by name
    address: str
    vm_id: int = -1  # of the VM that has ended; -1: somebody holds it


@dataclass(frozen=True, kw_only=True, slots=True)
class Monitored:
    """A host in monitoring that says which service of ours it belongs to."""

    name: str  # the VM's FQDN
    address: str
    service: str
    down_since: datetime | None = None  # it has failed all tries of its own check since then
