"""A name server on the wire: questions, transfers, updates, signed with TSIG (RFC 8945).

Everything goes to the primary itself over TCP: no resolver in between, so no cached "not there".
"""

from __future__ import annotations

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
import dns.tsig
import dns.tsigkeyring
import dns.update
import dns.xfr
import dns.zone

from snowmelt.errors import Conflict, Missing, NotAllowed, Refused, SnowmeltError, Unreachable
from snowmelt.hooks.connection import TIMEOUT, ConnectedHook

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


class DnsServer(ConnectedHook):
    """One primary name server, by its Connection: see `NameServerHook`."""

    def answered(self, name: dns.name.Name, kind: str) -> tuple[str, ...]:
        """Return what the server answers for a name and a kind of record, in order."""
        what = f"query {as_text(name)} {kind}"
        query = dns.message.make_query(name, kind)
        query.flags &= ~dns.flags.RD
        answer = self._tcp(query, what)
        if answer.rcode() == dns.rcode.NXDOMAIN:
            return ()
        _check(answer, what)
        rdtype = dns.rdatatype.from_text(kind)
        values = answer.get_rrset(answer.answer, name, dns.rdataclass.IN, rdtype)
        return tuple(sorted(value.to_text() for value in values or ()))

    def serial(self, zone: str) -> str:
        """Return the serial number of a zone; `Missing` where the server has none of that name."""
        start = self.answered(absolute(zone), "SOA")
        if not start:
            raise Missing(f"the name server has no zone {zone}")
        return start[0].split()[2]

    def transfer(self, name: str) -> dns.zone.Zone:
        """Return all of a zone (AXFR, RFC 5936)."""
        zone = dns.zone.Zone(absolute(name), relativize=False)
        query, _serial = dns.xfr.make_query(zone, keyring=self.keyring)
        with _errors(f"transfer of {name}"):
            dns.query.inbound_xfr(self._where, zone, query, port=self._port, lifetime=_SECONDS)
        return zone

    def send(self, update: dns.update.UpdateMessage, what: str) -> None:
        """Send an update, *what* in words; raises what the server says against it."""
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
    def keyring(self) -> dict[dns.name.Name, dns.tsig.Key]:
        """The key that signs transfers and updates; `Refused` where the Connection has none."""
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


def absolute(fqdn: str) -> dns.name.Name:
    """Return a name as dnspython has it."""
    return dns.name.from_text(fqdn)


def as_text(name: dns.name.Name) -> str:
    """Return a name as all others have it: in lower case, without the last dot."""
    return str(name).rstrip(".").lower()
