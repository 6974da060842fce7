"""What Snowmelt asks of any central firewall, and which hook answers for a Connection."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection

from include.facts import Entry
from include.verdict import Outcome
from snowmelt.hooks.connection import ConnectedHook, hook_for

# conn_type -> where its class is. A new firewall is a module, a line here, one in provider.py.
_FIREWALLS: dict[str, str] = {"nftables": "snowmelt.hooks.nftables:NftablesHook"}


class Firewall(ConnectedHook, ABC):
    """One firewall between the VMs and who uses them. This docstring is the contract.

    Its rules are made by hand and name *groups* of addresses (an address group, an object group, a
    set); `Missing` for a group that is not there. We only put addresses into groups and take them
    out. An *entry* is an address with a name, the VM's FQDN, by which it is found again.

    Rules for every subclass:
    - All verbs are idempotent. What holds already is `UNCHANGED`; removing what is gone succeeds.
    - An address that is in the group under no name is a `Conflict`. Under another one it is `Busy`:
      OpenNebula gives addresses away again at once, and the entry of the VM before may go later.
    - Entries without a name of ours are never touched.
    - What was written is read back where the firewall's answer may come before its effect.
    - `error_for` is the only place that knows the firewall's codes.
    """

    @abstractmethod
    def entries(self, groups: Collection[str]) -> tuple[Entry, ...]:
        """Return all that is in these groups, ours or not, in one call."""

    @abstractmethod
    def ensure_entry(self, group: str, name: str, address: str) -> Outcome:
        """Let the users of a group in to *address*, which is that of the VM *name*."""

    @abstractmethod
    def remove_entries(self, group: str, name: str, address: str | None = None) -> Outcome:
        """Take a VM's address out of a group; None: all addresses that stand under its name."""


def firewall_for(conn_id: str) -> Firewall:
    """Return the hook for a Connection by its type; `Missing` for one that is no firewall."""
    found: Firewall = hook_for(conn_id, _FIREWALLS, "firewall")
    return found
