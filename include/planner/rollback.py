"""The way back, while there is one: the old VMs serve again, then the new ones go."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from include.catalogue.model import Service
from include.planner.errors import CannotSee, TooLate
from include.planner.model import OldVm, Plan, Seen
from include.planner.moves import Drain, Join, Move, Retire, Undrain


def past_return(plan: Plan, seen: Seen) -> str | None:
    """Return the irreversible step that was taken, or None while there is a way back.

    A certificate cannot be un-revoked and a VM not un-terminated. What did not serve when
    the plan was made, and would not without a drain of ours, is no way back, so it does not count;
    nor does a certificate that was not there.
    """
    taken = (_irreversible(old, seen) for old in plan.old if old.is_way_back)
    return next(filter(None, taken), None)


def taken_back(plan: Plan, seen: Seen, failed: Collection[int] = ()) -> Plan:
    """Return the part of *plan* that can be undone; raises `TooLate` where nothing can.

    Before the first irreversible step that is all of it. After it, `rolling` takes back only the
    replacements that *failed* (their places in `plan.pairs`), and never one whose old VM is gone:
    the whole ones stay, and the old VMs whose turn never came serve on.
    """
    why = past_return(plan, seen)
    if not plan.pairs and why:
        raise TooLate(f"no way back, {why}: clear what failed, with what is downstream of it")
    if not plan.pairs:
        return plan
    ids = {old.vm_id for old in plan.old if not _irreversible(old, seen)}
    undone = [p for i, p in enumerate(plan.pairs) if not why or i in failed]
    pairs = [p for p in undone if p.old in {None, *ids}]
    new, old = {p.new for p in pairs}, {p.old for p in pairs}
    return replace(
        plan,
        pairs=tuple(pairs),
        new=tuple(vm for vm in plan.new if vm.name in new),
        old=tuple(vm for vm in plan.old if vm.vm_id in old),
    )


def roll_back(
    service: Service, plan: Plan, seen: Seen, failed: Collection[int] = ()
) -> tuple[Move, ...]:
    """Return the moves back, in order; raises `TooLate` after the first irreversible step.

    Rolling has no such step for all: what *failed* is undone (see `taken_back`).
    Of *seen* it reads which VMs there are, which are enrolled, and the pool.
    Ask `may_drain` and `may_retire` before each Drain and Retire: they wait for the old VMs.
    """
    if not seen.complete:
        raise CannotSee("cannot see all of it: " + "; ".join(seen.unreadable))
    part = taken_back(plan, seen, failed)
    return (*way_back(service, part, seen), *_away(part, seen))


def way_back(service: Service, plan: Plan, seen: Seen) -> tuple[Move, ...]:
    """Return the moves by which those old VMs serve again that are whole.

    Also where one of them has gone, and the new ones cannot be taken away: the others must not
    stay drained beside a release that failed.
    """
    whole = (old for old in plan.old if old.is_way_back and not _irreversible(old, seen))
    return tuple(move for old in whole for move in _back(service, old, seen))


def _irreversible(old: OldVm, seen: Seen) -> str:
    vm = seen.get(old.name)
    if vm is None or vm.phase == "stopping":
        return f"{old.name} is gone"
    lost = old.enrolled and not vm.enrolled
    return f"the certificate of {old.name} is revoked" if lost else ""


def _back(service: Service, old: OldVm, seen: Seen) -> Iterator[Move]:
    vm = seen.get(old.name)
    if service.balancer is None or vm is None or vm.phase != "running":
        return
    state = vm.member.state if vm.member else "maint"
    if state == "maint":
        yield Join((old.name,), "it left the pool: the way back")
    elif state != "up":  # "down" too: its drain may be in force unseen
        yield Undrain((old.name,), "it still runs: the way back")


def _away(plan: Plan, seen: Seen) -> Iterator[Move]:
    there = [vm for new in plan.new if (vm := seen.get(new.name))]
    in_pool = tuple(
        vm.name for vm in there if vm.member and vm.member.state not in ("drain", "maint")
    )
    if in_pool:
        yield Drain(in_pool, f"release {plan.release} is taken back")
    if there:
        yield Retire(tuple(vm.name for vm in there), f"release {plan.release} is taken back")
