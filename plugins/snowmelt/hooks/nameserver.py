"""Names and addresses through dynamic updates (RFC 2136), signed with TSIG (RFC 8945).

Everything goes to the primary itself over TCP: no resolver in between, so no cached "not there".
Every change carries prerequisites, so the server refuses it when somebody else was faster.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.tsig
import dns.tsigkeyring
import dns.update
import dns.xfr
import dns.zone
from dns.rdtypes.ANY.PTR import PTR

from include.facts import Address
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict, Missing, NotAllowed, Refused, SnowmeltError, Unreachable
from snowmelt.hooks.connection import TIMEOUT, ConnectedHook, tried

# Whole time of one exchange; the name server answers in 14 ms.
_SECONDS = sum(TIMEOUT)


def error_for(rcode: int, what: str) -> SnowmeltError:
    """Return our error for an answer. The only place that knows DNS response codes."""
    kind = _BY_RCODE.get(rcode, Refused)
    return kind(f"name server answers {dns.rcode.to_text(dns.rcode.Rcode(rcode))} to {what}")


_BY_RCODE: dict[int, type[SnowmeltError]] = {
    dns.rcode.SERVFAIL: Unreachable,
    dns.rcode.REFUSED: NotAllowed,
    dns.rcode.NOTAUTH: NotAllowed,  # also a wrong, unknown or missing TSIG key
    dns.rcode.NOTZONE: Missing,
    dns.rcode.YXDOMAIN: Conflict,
    dns.rcode.YXRRSET: Conflict,
    dns.rcode.NXRRSET: Conflict,  # a value that we counted on has changed in between
    dns.rcode.NXDOMAIN: Conflict,
}


class NameServerHook(ConnectedHook):
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
        return tried(
            lambda: ", ".join(f"{zone} serial {self._serial(zone)}" for zone in self.zones)
        )

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
        forward = self._ensure(_absolute(fqdn), ttl, _kind(address), address)
        reverse = self._ensure_pointer(address, ttl, str(_absolute(fqdn)))
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
                outcomes.append(self._remove(pointer, "PTR", str(_absolute(fqdn))))
            outcomes.append(self._remove(_absolute(fqdn), _kind(each), each))
        return Outcome.REMOVED if Outcome.REMOVED in outcomes else Outcome.UNCHANGED

    def lookup(self, fqdn: str) -> tuple[str, ...]:
        """Return the addresses that the server has for a name; none when there is no such name."""
        name = _absolute(fqdn)
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
        for name, ttl, rdata in self._transfer(zone).iterate_rdatas():
            if rdata.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
                found.append(Address(fqdn=_text(name), address=rdata.to_text(), ttl=ttl))
            elif isinstance(rdata, PTR):
                found += [
                    Address(fqdn=_text(rdata.target), address=address, ttl=ttl)
                    for address in _reversed(name)
                ]
        return tuple(sorted(found, key=lambda entry: (entry.fqdn, entry.address)))

    def _ensure(self, name: dns.name.Name, ttl: int, kind: str, value: str) -> Outcome:
        update = self._update(name)
        seen = self._values(name, kind)
        if seen == (value,):
            return Outcome.UNCHANGED
        if seen:
            raise Conflict(f"{_text(name)} is {', '.join(seen)}, wanted {value}")
        update.absent(name)  # of any type: a CNAME or TXT of somebody else is theirs as well
        update.add(name, ttl, kind, value)
        try:
            self._send(update, f"add {_text(name)} {kind} {value}")
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
            self._send(update, f"delete {_text(name)} {kind} {value}")
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
        found = self._answered(name, kind)
        return () if found and found == self._by_wildcard(name.parent(), kind) else found

    def _by_wildcard(self, parent: dns.name.Name, kind: str) -> tuple[str, ...]:
        """Return what the server makes up for names below *parent* (RFC 4592), asked once."""
        if (parent, kind) not in self._wildcards:
            wildcard = dns.name.Name((b"*", *parent.labels))
            self._wildcards[parent, kind] = self._answered(wildcard, kind)
        return self._wildcards[parent, kind]

    def _answered(self, name: dns.name.Name, kind: str) -> tuple[str, ...]:
        what = f"query {_text(name)} {kind}"
        query = dns.message.make_query(name, kind)
        query.flags &= ~dns.flags.RD
        answer = self._tcp(query, what)
        if answer.rcode() == dns.rcode.NXDOMAIN:
            return ()
        _check(answer, what)
        rdtype = dns.rdatatype.from_text(kind)
        values = answer.get_rrset(answer.answer, name, dns.rdataclass.IN, rdtype)
        return tuple(sorted(value.to_text() for value in values or ()))

    def _serial(self, zone: str) -> str:
        start = self._answered(_absolute(zone), "SOA")
        if not start:
            raise Missing(f"the name server has no zone {zone}")
        return start[0].split()[2]

    def _transfer(self, name: str) -> dns.zone.Zone:
        zone = dns.zone.Zone(_absolute(name), relativize=False)
        query, _serial = dns.xfr.make_query(zone, keyring=self._keyring)
        with _errors(f"transfer of {name}"):
            dns.query.inbound_xfr(self._where, zone, query, port=self._port, lifetime=_SECONDS)
        return zone

    def _update(self, name: dns.name.Name) -> dns.update.UpdateMessage:
        ours = self._zone_of(name)
        if ours is None:
            raise Missing(f"{_text(name)} is in none of our zones: {', '.join(self.zones)}")
        return dns.update.UpdateMessage(ours, keyring=self._keyring)

    def _zone_of(self, name: dns.name.Name) -> dns.name.Name | None:
        zones = (_absolute(zone) for zone in self.zones)
        return max((zone for zone in zones if name.is_subdomain(zone)), key=len, default=None)

    def _send(self, update: dns.update.UpdateMessage, what: str) -> None:
        answer = self._tcp(update, what)
        if answer.rcode() == dns.rcode.REFUSED:  # BIND says so too while a zone is frozen
            raise SnowmeltError(
                f"name server refuses to {what}: no right to, or the zone is frozen"
            )
        _check(answer, what)
        self.log.info("name server: %s", what)

    def _tcp(self, message: dns.message.Message, what: str) -> dns.message.Message:
        with _errors(what):
            return dns.query.tcp(message, self._where, port=self._port, timeout=_SECONDS)

    @property
    def _port(self) -> int:
        return int(self.connection.port or 53)

    @cached_property
    def _where(self) -> str:
        """The address: dnspython takes no host name."""
        with _errors(f"looking up {self.host()}"):
            found = socket.getaddrinfo(self.host(), self._port, type=socket.SOCK_STREAM)
        return str(found[0][4][0])

    @cached_property
    def _keyring(self) -> dict[dns.name.Name, dns.tsig.Key]:
        name, secret = self.connection.login, self.connection.password
        if not name or not secret:
            raise Refused(f"connection {self.conn_id} has no TSIG key (login) or no secret")
        try:
            algorithm = self.option("algorithm", "hmac-sha256")
            return dns.tsigkeyring.from_text({name: (algorithm, secret)})
        except ValueError as error:  # binascii.Error is one; its text says nothing of the secret
            raise Refused(f"connection {self.conn_id}: the TSIG secret is no base64") from error


@contextmanager
def _errors(what: str) -> Iterator[None]:
    try:
        yield
    except dns.tsig.PeerError as error:  # it does not take our key, and says so in its TSIG record
        raise error_for(dns.rcode.NOTAUTH, what) from error
    except dns.xfr.TransferError as error:
        raise error_for(error.rcode, what) from error
    except (OSError, EOFError, dns.exception.DNSException) as error:
        raise Unreachable(f"name server, {what}: {error}") from error


def _check(answer: dns.message.Message, what: str) -> None:
    if answer.rcode() != dns.rcode.NOERROR:
        raise error_for(answer.rcode(), what)


def _absolute(fqdn: str) -> dns.name.Name:
    return dns.name.from_text(fqdn)


def _text(name: dns.name.Name) -> str:
    return str(name).rstrip(".").lower()


def _reversed(name: dns.name.Name) -> tuple[str, ...]:
    """Return the address that a name of a reverse zone stands for; people put others there too."""
    try:
        return (dns.reversename.to_address(name),)
    except dns.exception.SyntaxError:
        return ()


def _kind(address: str) -> str:
    return "A" if ipaddress.ip_address(address).version == 4 else "AAAA"
