"""State that must not grow: what may be removed, and what is too much. Pure functions only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.catalogue.model import Service
from include.facts import Certificate
from include.ownership import is_of
from include.planner.names import short_name

# A clock of ours that is ahead must not remove what still counts.
_GRACE = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class RevocationList:
    """A certificate revocation list (RFC 5280, 5) by its measures."""

    issuer: str
    entries: int
    size_bytes: int
    last_update: datetime
    next_update: datetime | None  # None: it never gets too old


@dataclass(frozen=True, kw_only=True, slots=True)
class StaleData:
    """What PuppetDB should have removed by itself."""

    nodes: int  # out of service for longer than they are kept
    reports: int  # received longer ago than they are kept


def expired(
    certificates: Iterable[Certificate],
    services: Collection[Service],
    running: Collection[str],
    now: datetime,
) -> tuple[str, ...]:
    """Return the certnames of ours whose certificate has expired and whose VM is gone.

    *services* are those whose CA it is. *running* are names of VMs: one that outlived its
    certificate is for the audit, not for us.
    """
    return tuple(
        each.certname
        for each in certificates
        if each.not_after is not None
        and each.not_after + _GRACE < now
        and short_name(each.certname) not in running
        and any(is_of(service, each.certname) for service in services)
    )


def told(found: RevocationList, now: datetime) -> str:
    """Return the measures of a revocation list in one line."""
    age = (now - found.last_update).days
    until = f"{found.next_update:%Y-%m-%d}" if found.next_update else "for ever"
    return (
        f"{found.issuer}: {found.entries} entries, {found.size_bytes / 1024:.0f} KB,"
        f" {age} days old, valid until {until}"
    )


def list_faults(
    lists: Collection[RevocationList], *, max_entries: int, min_days: int, now: datetime
) -> tuple[str, ...]:
    """Return what is wrong with the revocation lists of a CA.

    Each agent fetches them, so they must stay small; and where one has passed its next update,
    no agent talks to any server any more.
    """
    if not lists:
        return ("the CA gave no revocation list",)
    return tuple(fault for found in lists for fault in _faults(found, max_entries, min_days, now))


def _faults(found: RevocationList, max_entries: int, min_days: int, now: datetime) -> Iterator[str]:
    if found.entries > max_entries:
        yield f"{found.issuer}: {found.entries} entries are more than {max_entries}: prune it"
    if found.next_update is None:
        return
    left = (found.next_update - now).total_seconds() / 86400
    if left < min_days:
        yield (
            f"{found.issuer}: its next update is due in {left:.0f} days, fewer than {min_days}:"
            " after that no agent trusts any certificate. Revoke something, which renews the list"
        )


def stale_faults(found: StaleData, keep_days: int) -> tuple[str, ...]:
    """Return what PuppetDB keeps although it should not."""
    nodes = f"{found.nodes} nodes are out of service for over {keep_days} days: set node-purge-ttl"
    reports = f"{found.reports} reports are over {keep_days} days old: set report-ttl"
    return (*((nodes,) if found.nodes else ()), *((reports,) if found.reports else ()))


def outdated(files: Iterable[tuple[str, float]], keep_days: int, now: datetime) -> tuple[str, ...]:
    """Return the paths of (path, time of last change) that are older than they are kept."""
    oldest = (now - timedelta(days=keep_days)).timestamp()
    return tuple(path for path, changed in files if changed < oldest)
