"""VMs that are not as they should be: held, twice there, dead, gone, or not ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from include.audit.finding import Finding
from include.audit.orphans import answering
from include.audit.view import View, slot_of
from include.facts import CloudVm
from include.planner import marked

DEAD = frozenset({"failed", "off", "unknown"})
ON_ITS_WAY = frozenset({"pending", "starting", "stopping"})


def machines(view: View) -> Iterator[Finding]:
    """Yield what is wrong with VMs as such."""
    for name in sorted(view.vms):
        yield from _strangers(view, name)
        ours = view.ours(name)
        yield from _twins(view, ours)
        for vm in ours[:1]:
            yield from _condition(view, vm)
    yield from _crowded(view)
    yield from _vanished(view)


def _dead(view: View, name: str, thing: str, reason: str) -> Finding:
    return Finding(
        system="OpenNebula",
        thing=thing,
        kind="dead",
        reason=reason,
        service=view.service.name,
        name=name,
    )


def _finding(view: View, vm: CloudVm) -> Finding:
    reason = f"OpenNebula says {vm.state}" + (f" ({vm.message})" if vm.message else "")
    return replace(
        _dead(view, vm.name, f"VM {vm.vm_id} {vm.name}", reason),
        vm_id=vm.vm_id,
        address=next(iter(vm.addresses), ""),
        release=view.release_to_heal(vm),
    )


def _strangers(view: View, name: str) -> Iterator[Finding]:
    for vm in view.vms[name]:
        if not marked(view.service, vm):
            yield replace(
                _finding(view, vm),
                kind="foreign",
                reason=f"of {vm.owner or 'somebody'}, under a name of ours",
                doubt="it carries none of our marks",
            )


def _twins(view: View, ours: Sequence[CloudVm]) -> Iterator[Finding]:
    for twin in ours[1:]:
        found = replace(
            _finding(view, twin),
            kind="twin",
            reason=f"VM {ours[0].vm_id} has the same name; this one is {twin.state}",
            since=twin.created_at,
        )
        if twin.phase == "held":
            yield replace(found, act="terminate VM")
        else:
            yield replace(found, doubt="it is not on hold: a person says which one stays")


def _condition(view: View, vm: CloudVm) -> Iterator[Finding]:
    found = _finding(view, vm)
    if vm.phase == "held":
        why = "made and never released; it holds its address and its image"
        yield replace(found, kind="held", reason=why, act="terminate VM", since=vm.created_at)
    elif vm.phase in DEAD:
        yield replace(found, act="rollout")
    elif vm.phase in ON_ITS_WAY:
        # how long it is in that state nobody tells: since an audit first saw it
        yield replace(found, act="rollout", reason=f"stuck: {found.reason}")


def _crowded(view: View) -> Iterator[Finding]:
    """Yield all but the newest running VM of each slot: a rollout that broke off left them."""
    slots: dict[int, list[CloudVm]] = defaultdict(list)
    for name in view.vms:
        slots[slot_of(name).slot] += [vm for vm in view.ours(name)[:1] if vm.phase == "running"]
    for slot, vms in sorted(slots.items()):
        by_age = sorted(vms, key=lambda vm: (vm.created_at, vm.vm_id))
        for vm in by_age[:-1]:
            reason = f"slot {slot} is filled by {by_age[-1].name} too"
            yield replace(_finding(view, vm), kind="twin", reason=reason, act="rollout")


def _vanished(view: View) -> Iterator[Finding]:
    """Yield a VM for each slot of the catalogue that is empty and was not emptied by a rollout.

    A rollout that makes a service smaller leaves no trace; a VM that somebody deleted, or whose
    host was, leaves all of them. A trace that a person may have made says nothing of a slot.
    """
    filled = {slot_of(name).slot for name in view.vms if view.ours(name)}
    for slot in sorted({*range(view.replicas)} - filled):
        gone = [name for name in view.names if slot_of(name).slot == slot and view.gone(name)]
        missed = [name for name in sorted(view.missed) if slot_of(name).slot == slot]
        if gone:
            yield _gone(view, slot, gone)
        elif missed:
            yield _never_replaced(view, slot, missed[-1])


def _gone(view: View, slot: int, names: Sequence[str]) -> Finding:
    name, service = _latest(view, names), view.service.name
    reason = f"gone, and nothing else fills slot {slot}; other systems still know it, or did"
    doubt = f"no VM of {service} serves: is it retired? a rollout brings it back"
    found = _dead(view, name, f"VM {name}", reason)
    return replace(found, act="rollout", doubt=answering(view, name) if view.serving() else doubt)


def _never_replaced(view: View, slot: int, name: str) -> Finding:
    """Nothing is left that tells a healing that failed from a rollout that took the slot away."""
    service = view.service.name
    doubt = (
        f"did a run make {service} smaller? Then let its file say so; else run rollout_{service}"
        " with replace=none"
    )
    reason = f"an audit missed it, and nothing fills slot {slot} since"
    return replace(_dead(view, name, f"VM {name}", reason), doubt=doubt)


def _latest(view: View, names: Sequence[str]) -> str:
    """Return the name with the most traces: the one that served last."""
    known = (view.certificates, view.nodes, view.forward, view.reverse, view.hosts, view.members)
    return max(names, key=lambda name: (sum(name in each for each in known), name))
