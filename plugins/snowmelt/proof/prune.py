"""Keep the store from growing: proofs past their time go, and evidence of VMs that are gone."""

from __future__ import annotations

from collections.abc import Collection

from include.planner import parse_name
from snowmelt.proof.store import Store


def prune(
    store: Store, oldest: str, vms: Collection[tuple[str, str]], unseen: Collection[str]
) -> list[str]:
    """Remove proofs of days before *oldest*, and evidence that belongs to none of *vms*.

    *vms* are (service, name). The evidence itself stands in the proof of its day. That of *unseen*
    services stays: their VMs are not in the proof, and may be there all the same.
    """
    used = {(service, parts.rollout) for service, vm in vms if (parts := parse_name(vm))}
    gone = [f"proof/{day}.{kind}" for day in store.days() if day < oldest for kind in _KINDS]
    for service in set(store.names("evidence")) - set(unseen):
        rollouts = [file.removesuffix(".json") for file in store.names(f"evidence/{service}")]
        gone += [f"evidence/{service}/{r}.json" for r in rollouts if (service, r) not in used]
    for name in gone:
        store.remove(name)
    return gone


_KINDS = ("json", "html")
