"""Stop and ask when much is down at once: then the audit may be what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from include.audit.finding import Finding

_NAMED = 10  # VMs that the question names


def brake(findings: Iterable[Finding], *, vms: int, busy: Collection[str], max_down: float) -> str:
    """Return the question to a person, or "" when few VMs are down.

    *vms*: how many there are; *max_down*: the share of them that may be down. One VM alone never
    stops anything. An empty list from OpenNebula looks as if all VMs had died: nothing may be
    removed on such a day.
    """
    dead = {f.name: f.vm_id for f in findings if f.broken and f.service not in busy}
    fleet = vms + sum(vm_id is None for vm_id in dead.values())
    if len(dead) <= 1 or len(dead) <= max_down * fleet:
        return ""
    return (
        f"{len(dead)} of {fleet} VMs are down ({len(dead) / fleet:.0%}), more than"
        f" {max_down:.0%}: {_some(sorted(dead))}. Nothing is mended. Is it one cause (a host, a"
        " network, the account behind the Connection)? If they are to be replaced all the same,"
        f" run audit_fleet with max_down={min(100, round(100 * len(dead) / fleet) + 1)}"
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
