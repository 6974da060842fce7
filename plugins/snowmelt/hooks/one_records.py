"""From pyone's objects to facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from include.facts import CloudVm, VmPhase
from include.inventory import Lease
from include.planner.names import SERVICE_MARK, parse_name
from snowmelt.hooks.one_states import phase, state_name


def cloud_vm(vm: Any) -> CloudVm:
    """Return one `<VM>` of any pool or of `one.vm.info`, short or extended form."""
    now = phase(int(vm.STATE), int(vm.LCM_STATE))
    template = vm.TEMPLATE or {}
    user_template = vm.USER_TEMPLATE or {}
    return CloudVm(
        vm_id=int(vm.ID),
        name=str(vm.NAME),
        phase=now,
        state=state_name(int(vm.STATE), int(vm.LCM_STATE)),
        created_at=datetime.fromtimestamp(int(vm.STIME), UTC),
        addresses=tuple(_addresses(template)),
        host=_host(vm),
        message=_message(user_template, now),
        attributes=_leaves(user_template),
        context=_leaves(template.get("CONTEXT") or {}),
        owner=str(vm.UNAME),
    )


def service_of(vm: CloudVm) -> str | None:
    """Return the service a VM belongs to, or None for a VM that is not ours.

    The name counts first: a guest can change its attributes through OneGate, never its name.
    """
    named = parse_name(vm.name)
    return named.service if named else vm.attributes.get(SERVICE_MARK)


# the first that a card has is its VM's; networks of type IP6 have no fixed one, but a prefix
_ADDRESSES = ("IP", "IP6", "IP6_GLOBAL", "IP6_ULA")


def leases(network: Any) -> Iterator[Lease]:
    """Yield the leases of one `<VNET>` for VMs, -1 where somebody holds one; no reservations."""
    for area in network.AR_POOL.AR:
        for lease in area.LEASES.LEASE if area.LEASES is not None else ():
            if lease.VM is not None:
                known = (getattr(lease, key, None) for key in (*_ADDRESSES, "MAC"))
                address = str(next(filter(None, known)))
                yield Lease(network=str(network.NAME), address=address, vm_id=int(lease.VM))


def _addresses(template: Mapping[str, Any]) -> Iterator[str]:
    for nic in vectors(template.get("NIC")):
        yield from (nic[key] for key in _ADDRESSES if nic.get(key))


def vectors(value: Any) -> list[Mapping[str, Any]]:
    """Return a vector attribute as a list: pyone gives a dict when there is only one of it."""
    if not value:
        return []
    return value if isinstance(value, list) else [value]


def _leaves(template: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in template.items() if isinstance(value, str)}


def _host(vm: Any) -> str:
    records = vm.HISTORY_RECORDS.HISTORY if vm.HISTORY_RECORDS is not None else []
    return str(records[-1].HOSTNAME) if records else ""


def _message(user_template: Mapping[str, Any], now: VmPhase) -> str:
    # ERROR stays after a successful retry (vm-states/31): it means something in a failure only.
    return str(user_template.get("ERROR" if now == "failed" else "SCHED_MESSAGE") or "")
