"""A Linux firewall whose rules name nftables sets; `nft` is told in JSON, over SSH.

The account on the firewall needs nothing but `nft -j -f -`, so its key can be bound to that in
`authorized_keys`. What is changed lives in the kernel: a firewall that starts anew has lost it,
and `audit_fleet` puts it back.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Collection
from functools import cached_property
from typing import Any

import paramiko

from include.facts import Entry
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict, Missing, NotAllowed, Refused, SnowmeltError, Unreachable
from snowmelt.hooks.connection import tried
from snowmelt.hooks.firewall import Firewall
from snowmelt.hooks.ssh import SshAddress, private_key, public_key

Command = dict[str, Any]


def error_for(code: int, text: str) -> SnowmeltError:
    """Return our error for an exit code. The only place that knows them: nft has one for all."""
    kind = _BY_CODE.get(code, Refused)
    return kind(f"nft ends with {code}: {text.strip()[:500]}")


_BY_CODE: dict[int, type[SnowmeltError]] = {
    -1: Unreachable,  # the connection went before the end
    1: SnowmeltError,  # nft's only one: refused, also while another change is under way
    126: NotAllowed,
    127: Missing,
}


class NftablesHook(Firewall):
    """One table of one firewall. Connection: host, port and login; extra `table` (family and name,
    default "inet filter"), `key_file` (our private key), `host_key` (the firewall's) and `command`
    (default "nft -j -f -"). A group is a set of addresses, an entry's name its comment.
    """

    default_conn_name = "snowmelt_firewall"
    conn_type = "nftables"
    hook_name = "Firewall (nftables)"

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__(conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """Name the sets of the table, as the connection form's Test button does."""
        return tried(lambda: f"sets: {', '.join(sorted(self._sets())) or 'none'}")

    def entries(self, groups: Collection[str]) -> tuple[Entry, ...]:
        """Return all elements of these sets, intervals and those without a comment too."""
        sets = self._sets()
        for group in sorted(groups):
            if group not in sets:
                raise Missing(f"the firewall's table {self._told} has no set {group}")
        found = (_entry(group, e) for group in sorted(groups) for e in sets[group])
        return tuple(sorted(found, key=lambda entry: (entry.group, entry.name, entry.address)))

    def ensure_entry(self, group: str, name: str, address: str) -> Outcome:
        """Add the element; `create` is refused by the kernel when the address is in there."""
        wanted = Entry(group=group, address=str(ipaddress.ip_address(address)), name=name)
        if self._is_in(wanted):
            return Outcome.UNCHANGED
        element = {"elem": {"val": wanted.address, "comment": name}}
        try:
            self._ask({"create": {"element": {**self._set(group), "elem": [element]}}})
        except SnowmeltError:  # the answer was lost, or another try was faster
            if not self._is_in(wanted):
                raise
            return Outcome.UNCHANGED
        self.log.info("firewall: %s into set %s for %s", wanted.address, group, name)
        return Outcome.CREATED

    def remove_entries(self, group: str, name: str, address: str | None = None) -> Outcome:
        """Delete the elements that have this comment, all at once or none."""
        doomed = self._under(group, name, address)
        if not doomed:
            return Outcome.UNCHANGED
        try:
            self._ask({"delete": {"element": {**self._set(group), "elem": doomed}}})
        except SnowmeltError:
            if self._under(group, name, address):
                raise
            return Outcome.UNCHANGED
        self.log.info("firewall: %s out of set %s", ", ".join(doomed), group)
        return Outcome.REMOVED

    def _is_in(self, wanted: Entry) -> bool:
        """Say whether the entry is there; `Busy` or `Conflict` when its address is another's."""
        there = [e for e in self.entries([wanted.group]) if e.address == wanted.address]
        if there and there[0] != wanted:
            told, other = f"{wanted.address} is in set {wanted.group}", there[0].name
            if not other:
                raise Conflict(f"{told} for somebody, without a comment")
            raise Busy(f"{told} for {other}; where that VM has gone, `audit_fleet` removes it")
        return bool(there)

    def _under(self, group: str, name: str, address: str | None) -> list[str]:
        named = (entry.address for entry in self.entries([group]) if entry.name == name)
        return [each for each in named if address in (None, each)]

    def _sets(self) -> dict[str, list[Any]]:
        family, name = self._table
        try:
            # "list sets" is of all tables of a family, and of nft 1.0.1 to 1.0.7 without elements
            answer = self._ask({"list": {"table": {"family": family, "name": name}}})
        except Unreachable:
            raise
        except SnowmeltError as error:
            self._must_have_table(error)
            raise
        return {e["set"]["name"]: e["set"].get("elem", []) for e in answer if "set" in e}

    def _must_have_table(self, error: SnowmeltError) -> None:
        """Raise `Missing` if that is why: nft's exit code is the same for all that it refuses."""
        tables = [e["table"] for e in self._ask({"list": {"tables": {}}}) if "table" in e]
        if self._table not in [(table["family"], table["name"]) for table in tables]:
            raise Missing(f"the firewall has no table {self._told}") from error

    def _set(self, group: str) -> dict[str, str]:
        family, table = self._table
        return {"family": family, "table": table, "name": group}

    def _ask(self, command: Command) -> list[dict[str, Any]]:
        """Carry out one command, whole or not at all, and return what it answers."""
        how = self.option("command", "nft -j -f -")
        code, said, complaint = self._address.run(how, json.dumps({"nftables": [command]}))
        if code:
            raise error_for(code, complaint or said)
        answer: list[dict[str, Any]] = json.loads(said)["nftables"] if said.strip() else []
        return answer

    @property
    def _told(self) -> str:
        return " ".join(self._table)

    @cached_property
    def _table(self) -> tuple[str, str]:
        match self.option("table", "inet filter").split():
            case [family, name]:
                return family, name
        raise Refused(
            f"connection {self.conn_id}: table has to be a family and a name: inet filter"
        )

    @cached_property
    def _address(self) -> SshAddress:
        return SshAddress(
            host=self.host(),
            port=int(self.connection.port or 22),
            user=str(self.connection.login or ""),
            key=self._key("key_file", self.file("key_file"), private_key),
            host_key=self._key("host_key", self.option("host_key"), public_key),
        )

    def _key(self, field: str, text: str, read: Callable[[str], paramiko.PKey]) -> paramiko.PKey:
        if not text:
            raise Refused(f"connection {self.conn_id} has no {field}")
        try:
            return read(text)
        except ValueError as error:
            raise Refused(f"connection {self.conn_id}: {field}: {error}") from error


def _entry(group: str, element: Any) -> Entry:
    """Read one element of `nft -j list sets`: an address, or more about one."""
    inner = element["elem"] if isinstance(element, dict) and "elem" in element else {"val": element}
    return Entry(group=group, address=_address(inner["val"]), name=str(inner.get("comment") or ""))


def _address(value: Any) -> str:
    if isinstance(value, str):
        return value
    match value:
        case {"prefix": {"addr": address, "len": bits}}:
            return f"{address}/{bits}"
        case {"range": [first, last]}:
            return f"{first}-{last}"
        case {"concat": parts}:
            return " . ".join(map(_address, parts))
    return json.dumps(value)
