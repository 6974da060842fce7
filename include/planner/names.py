"""Names that say whose a VM is: derived from service, rollout and slot, never from the attempt."""

from __future__ import annotations

import re
from base64 import b32encode
from hashlib import sha256
from typing import NamedTuple

# attributes (USER_TEMPLATE) of a VM, which a guest can overwrite, and keys of its CONTEXT
SERVICE_MARK = "SNOWMELT_SERVICE"
RELEASE_MARK = "SNOWMELT_RELEASE"
HOSTNAME_MARK = "SET_HOSTNAME"

_NAME = re.compile(
    r"(?P<service>[a-z][a-z0-9-]*)-(?P<rollout>[a-z2-7]{7})-(?P<slot>0|[1-9]\d{0,2})"
)


class VmName(NamedTuple):
    """The parts of a VM's name."""

    service: str
    rollout: str
    slot: int


def rollout_id(dag_id: str, run_id: str) -> str:
    """Return the rollout of a run: 7 characters of base32, the same at every attempt.

    35 bits: among the 365 rollouts of a year, two of one service meet once in 500,000 years.
    """
    digest = sha256(f"{dag_id}/{run_id}".encode()).digest()
    return b32encode(digest).decode()[:7].lower()


def vm_name(service: str, rollout: str, slot: int) -> str:
    """Return the name of the VM that fills *slot*: "shop-k3f9x2q-0"."""
    return f"{service}-{rollout}-{slot}"


def parse_name(name: str) -> VmName | None:
    """Return the parts of a name of ours, or None. Slot and rollout hold no dash: one reading."""
    found = _NAME.fullmatch(name)
    return found and VmName(found["service"], found["rollout"], int(found["slot"]))


def rollout_of(name: str) -> str:
    """Return what the names of all VMs of one rollout have in common: "shop-k3f9x2q"."""
    return name.rpartition("-")[0]


def short_name(fqdn: str) -> str:
    """Return the VM's name in an FQDN, a certname or the name of a host."""
    return fqdn.partition(".")[0]
