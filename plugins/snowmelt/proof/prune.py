"""Keep the store from growing: proofs past their time go, and evidence of VMs that are gone."""

from __future__ import annotations

import re
from collections.abc import Collection

from include.catalogue.types import DAY
from include.planner import parse_name
from snowmelt.proof.store import HALF, Store


def prune(
    store: Store, oldest: str, vms: Collection[tuple[str, str]], unseen: Collection[str]
) -> list[str]:
    """Remove proofs of days before *oldest*, and evidence that belongs to none of *vms*.

    *vms* are (service, name). The evidence itself stands in the proof of its day. That of *unseen*
    services stays: their VMs are not in the proof, and may be there all the same.
    """
    used = {(service, parts.rollout) for service, vm in vms if (parts := parse_name(vm))}
    gone = [f"proof/{name}" for name in store.names("proof") if _day(name) < oldest]
    for service in set(store.names("evidence")) - set(unseen):
        ours = ((file, _rollout(file)) for file in store.names(f"evidence/{service}"))
        gone += [f"evidence/{service}/{f}" for f, r in ours if r and (service, r) not in used]
    for name in gone:
        store.remove(name)
    return gone


# <day>.json, <day>.html, <rollout>.json, and the half of one that a kill has left. What people put
# there, or their storage, stays.
_DAY = re.compile(rf"({re.escape(HALF)})?(?P<day>{DAY})\.(json|html)(?(1)\.\d+)")
_EVIDENCE = re.compile(rf"({re.escape(HALF)})?(?P<rollout>[a-z0-9]+)\.json(?(1)\.\d+)")
_NEVER = "9999"


def _day(name: str) -> str:
    found = _DAY.fullmatch(name)
    return found["day"] if found else _NEVER


def _rollout(name: str) -> str:
    found = _EVIDENCE.fullmatch(name)
    return found["rollout"] if found else ""
