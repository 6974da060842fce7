"""Stop and ask when much is down at once: then the audit may be what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from include.audit.finding import Finding
from include.audit.view import View

_NAMED = 10  # VMs that the question names


@dataclass(frozen=True, kw_only=True, slots=True)
class _Down:
    """What is down of the fleet, or of what one Connection to OpenNebula shows of it."""

    where: str
    names: list[str]
    vms: int

    @property
    def share(self) -> float:
        return len(self.names) / self.vms if self.vms else 0


def brake(
    findings: Iterable[Finding],
    views: Mapping[str, View],
    *,
    busy: Collection[str],
    max_down: float,
) -> str:
    """Return the question to a person, or "" when few VMs are down.

    *max_down*: the share of the VMs that may be down, of the fleet and of each OpenNebula: an empty
    list from one looks as if all its VMs had died, and nothing may be removed on such a day. One VM
    alone never stops anything.
    """
    dead = {f.name: f for f in findings if f.broken and f.service not in busy}
    clouds = sorted({view.service.connections.opennebula for view in views.values()})
    parts = [_down(dead.values(), views), *(_down(dead.values(), views, c) for c in clouds)]
    much = [part for part in parts if len(part.names) > 1 and part.share > max_down]
    return _question(max(much, key=lambda part: part.share), max_down) if much else ""


def _down(dead: Collection[Finding], views: Mapping[str, View], cloud: str = "") -> _Down:
    chosen = {n: v for n, v in views.items() if cloud in ("", v.service.connections.opennebula)}
    here = [found for found in dead if found.service in chosen]
    there = sum(len(view.ours(name)) for view in chosen.values() for name in view.vms)
    return _Down(
        where=f" of {cloud}" if cloud else "",
        names=sorted(found.name for found in here),
        vms=there + sum(found.vm_id is None for found in here),  # and those that have vanished
    )


def _question(down: _Down, max_down: float) -> str:
    return (
        f"{len(down.names)} of {down.vms} VMs{down.where} are down ({down.share:.0%}), more than"
        f" {max_down:.0%}: {_some(down.names)}. Nothing is mended. Is it one cause (a host, a"
        " network, the account behind the Connection)? If they are to be replaced all the same,"
        f" run audit_fleet with max_down={min(100, round(100 * down.share) + 1)}"
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
