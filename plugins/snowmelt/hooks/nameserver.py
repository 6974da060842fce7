"""Names and addresses through dynamic updates (RFC 2136).

Every change carries prerequisites, so the server refuses it when somebody else was faster.
"""

from __future__ import annotations

import ipaddress
from functools import cached_property

import dns.exception
import dns.name
import dns.rdatatype
import dns.reversename
import dns.update
from dns.rdtypes.ANY.PTR import PTR

from include.facts import Address
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict, Missing
from snowmelt.hooks.connection import tried
from snowmelt.hooks.dns_server import DnsServer, absolute, as_text


class NameServerHook(DnsServer):
    """One primary name server. Connection: host and port; login is the name of the TSIG key and
    password its secret (base64); extra `algorithm` (default hmac-sha256) and `zones`, the zones
    that are ours, forward and reverse.
    """

    default_conn_name = "snowmelt_nameserver"
    conn_type = "nameserver"
    hook_name = "Name server (RFC 2136)"

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__(conn_id)
        self._wildcards: dict[tuple[dns.name.Name, str], tuple[str, ...]] = {}

    def test_connection(self) -> tuple[bool, str]:
        """Ask for the start of each zone, as the connection form's Test button does."""
        return tried(lambda: ", ".join(f"{zone} serial {self.serial(zone)}" for zone in self.zones))

    @cached_property
    def zones(self) -> tuple[str, ...]:
        """The zones that are ours, without trailing dots."""
        listed = self.extra.get("zones") or []
        names = listed.replace(",", " ").split() if isinstance(listed, str) else listed
        return tuple(str(name).rstrip(".").lower() for name in names)

    def ensure_address(self, fqdn: str, address: str, ttl: int) -> Outcome:
        """Publish a name's only address, forward and reverse.

        When the reverse entry fails, the forward one stays: the next try finds it and goes on.
        `Conflict` when the name belongs to something else; `Busy` when the address does: OpenNebula
        gives one away again at once, and what was known of the VM before may go a moment later.
        """
        forward = self._ensure(absolute(fqdn), ttl, _kind(address), address)
        reverse = self._ensure_pointer(address, ttl, str(absolute(fqdn)))
        changed = Outcome.CREATED in (forward, reverse)
        return Outcome.CREATED if changed else Outcome.UNCHANGED

    def _ensure_pointer(self, address: str, ttl: int, target: str) -> Outcome:
        try:
            return self._ensure(dns.reversename.from_address(address), ttl, "PTR", target)
        except Conflict as error:
            raise Busy(f"{error}; where that VM has gone, `audit_fleet` removes it") from error

    def remove_address(self, fqdn: str, address: str | None) -> Outcome:
        """Remove a name and the pointer back to it; only what points to each other is touched.

        *address* None: the addresses that the name has now, and every pointer to it that our
        reverse zones hold. An address of no reverse zone of ours has no pointer that we could see.
        """
        addresses = {address} if address else {*self.lookup(fqdn), *self._pointed_from(fqdn)}
        outcomes = []
        for each in sorted(addresses):
            pointer = dns.reversename.from_address(each)
            if self._zone_of(pointer) is not None:
                outcomes.append(self._remove(pointer, "PTR", str(absolute(fqdn))))
            outcomes.append(self._remove(absolute(fqdn), _kind(each), each))
        return Outcome.REMOVED if Outcome.REMOVED in outcomes else Outcome.UNCHANGED

    def lookup(self, fqdn: str) -> tuple[str, ...]:
        """Return the addresses that the server has for a name; none when there is no such name."""
        name = absolute(fqdn)
        return (*self._values(name, "A"), *self._values(name, "AAAA"))

    def reverse(self, address: str) -> tuple[str, ...]:
        """Return the names that an address points to, without trailing dots."""
        pointers = self._values(dns.reversename.from_address(address), "PTR")
        return tuple(name.rstrip(".") for name in pointers)

    def addresses(self, zone: str) -> tuple[Address, ...]:
        """Return every name of a zone with its address, by zone transfer; a reverse zone too.

        Pointers of names that stand for no address (RFC 2317, RFC 6763) are left out.
        """
        found = []
        for name, ttl, rdata in self.transfer(zone).iterate_rdatas():
            if rdata.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
                found.append(Address(fqdn=as_text(name), address=rdata.to_text(), ttl=ttl))
            elif isinstance(rdata, PTR):
                found += [
                    Address(fqdn=as_text(rdata.target), address=address, ttl=ttl)
                    for address in _reversed(name)
                ]
        return tuple(sorted(found, key=lambda entry: (entry.fqdn, entry.address)))

    def _ensure(self, name: dns.name.Name, ttl: int, kind: str, value: str) -> Outcome:
        update = self._update(name)
        seen = self._values(name, kind)
        if seen == (value,):
            return Outcome.UNCHANGED
        if seen:
            raise Conflict(f"{as_text(name)} is {', '.join(seen)}, wanted {value}")
        update.absent(name)  # of any type: a CNAME or TXT of somebody else is theirs as well
        update.add(name, ttl, kind, value)
        try:
            self.send(update, f"add {as_text(name)} {kind} {value}")
        except Conflict:
            # Somebody was faster. It was another try of the same task if it says the same now.
            if self._values(name, kind) != (value,):
                raise
            return Outcome.UNCHANGED
        return Outcome.CREATED

    def _remove(self, name: dns.name.Name, kind: str, value: str) -> Outcome:
        seen = self._values(name, kind)
        if value not in seen:
            return Outcome.UNCHANGED
        update = self._update(name)
        update.present(name, kind, *seen)  # this prerequisite is of all values together, or fails
        update.delete(name, kind, value)
        try:
            self.send(update, f"delete {as_text(name)} {kind} {value}")
        except Conflict:
            if value in self._values(name, kind):
                raise  # somebody has changed what stands beside it
            return Outcome.UNCHANGED  # another try of the same task was faster
        return Outcome.REMOVED

    def _pointed_from(self, fqdn: str) -> set[str]:
        reverse_zones = (zone for zone in self.zones if zone.endswith(".arpa"))
        pointers = (entry for zone in reverse_zones for entry in self.addresses(zone))
        return {entry.address for entry in pointers if entry.fqdn == fqdn}

    def _values(self, name: dns.name.Name, kind: str) -> tuple[str, ...]:
        """Return what stands under the name itself: a wildcard answers for what is not there."""
        found = self.answered(name, kind)
        return () if found and found == self._by_wildcard(name.parent(), kind) else found

    def _by_wildcard(self, parent: dns.name.Name, kind: str) -> tuple[str, ...]:
        """Return what the server makes up for names below *parent* (RFC 4592), asked once."""
        if (parent, kind) not in self._wildcards:
            wildcard = dns.name.Name((b"*", *parent.labels))
            self._wildcards[parent, kind] = self.answered(wildcard, kind)
        return self._wildcards[parent, kind]

    def _update(self, name: dns.name.Name) -> dns.update.UpdateMessage:
        ours = self._zone_of(name)
        if ours is None:
            raise Missing(f"{as_text(name)} is in none of our zones: {', '.join(self.zones)}")
        return dns.update.UpdateMessage(ours, keyring=self.keyring)

    def _zone_of(self, name: dns.name.Name) -> dns.name.Name | None:
        zones = (absolute(zone) for zone in self.zones)
        return max((zone for zone in zones if name.is_subdomain(zone)), key=len, default=None)


def _reversed(name: dns.name.Name) -> tuple[str, ...]:
    """Return the address that a name of a reverse zone stands for; people put others there too."""
    try:
        return (dns.reversename.to_address(name),)
    except dns.exception.SyntaxError:
        return ()


def _kind(address: str) -> str:
    return "A" if ipaddress.ip_address(address).version == 4 else "AAAA"
