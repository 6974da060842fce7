"""A primary name server with dynamic updates (RFC 2136), as far as the product asks it."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsigkeyring
import dns.update

from lab.bench.calls import Calls

SYSTEM = "nameserver"
KEY_NAME = "snowmelt"
_PART = 300  # records in one message of a transfer

Sets = dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset]


class NameServer:
    """Zones in memory: record sets by name and type."""

    def __init__(self, calls: Calls, zones: tuple[str, ...], secret: str, address: str) -> None:
        self.calls = calls
        self.keyring = dns.tsigkeyring.from_text({KEY_NAME: ("hmac-sha256", secret)})
        self._lock = threading.Lock()
        self._zones: dict[dns.name.Name, Sets] = {dns.name.from_text(z): {} for z in zones}
        self._names: defaultdict[dns.name.Name, int] = defaultdict(int)
        for zone, sets in self._zones.items():
            soa = dns.rrset.from_text(zone, 30, "IN", "SOA", "ns. root. 1 3600 600 86400 5")
            sets[zone, soa.rdtype] = soa
        self._server = _Server((address, 0), self._handler())

    @property
    def port(self) -> int:
        """Where it listens, TCP only."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Serve from now on."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        names = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with names.calls.connected(SYSTEM):
                    while head := self.rfile.read(2):
                        wire = self.rfile.read(struct.unpack("!H", head)[0])
                        for answer in names.answer(wire):
                            self.wfile.write(struct.pack("!H", len(answer)) + answer)

        return Handler

    def answer(self, wire: bytes) -> Iterator[bytes]:
        """The messages that answer one message."""
        try:
            asked = dns.message.from_wire(wire, keyring=self.keyring)
        except dns.exception.DNSException:
            return
        if isinstance(asked, dns.update.UpdateMessage):
            self.calls.add(SYSTEM, "update", mutating=True)
            with self._lock:
                yield self._update(asked).to_wire()
        elif asked.question[0].rdtype == dns.rdatatype.AXFR:
            self.calls.add(SYSTEM, "transfer", mutating=False)
            yield from self._transfer(asked)
        else:
            self.calls.add(SYSTEM, "query", mutating=False)
            yield self._query(asked).to_wire()

    def _sets(self, name: dns.name.Name) -> Sets:
        return next((sets for zone, sets in self._zones.items() if name.is_subdomain(zone)), {})

    def _query(self, asked: dns.message.Message) -> dns.message.Message:
        question = asked.question[0]
        answer = dns.message.make_response(asked)
        found = self._sets(question.name).get((question.name, question.rdtype))
        if found:
            answer.answer.append(found)
        elif not self._names[question.name]:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer

    def _update(self, asked: dns.update.UpdateMessage) -> dns.message.Message:
        answer = dns.message.make_response(asked)
        if not asked.had_tsig:
            answer.set_rcode(dns.rcode.REFUSED)
            return answer
        refusals = filter(None, (self._refusal(each) for each in asked.prerequisite))
        rcode = next(refusals, dns.rcode.NOERROR)
        answer.set_rcode(rcode)
        if rcode == dns.rcode.NOERROR:
            for each in asked.update:
                self._change(each)
        return answer

    def _refusal(self, wanted: dns.rrset.RRset) -> dns.rcode.Rcode | None:
        deleting: Any = wanted.deleting
        if deleting == dns.rdataclass.NONE:  # the name must not be there
            return dns.rcode.YXDOMAIN if self._names[wanted.name] else None
        found = self._sets(wanted.name).get((wanted.name, wanted.rdtype))
        same = found is not None and set(found) == set(wanted)
        return None if same else dns.rcode.NXRRSET

    def _change(self, change: dns.rrset.RRset) -> None:
        sets, key = self._sets(change.name), (change.name, change.rdtype)
        old = sets.pop(key, None)
        deleted: Any = change.deleting
        values = set(old or ())
        left = values - set(change) if deleted else values | set(change)
        if left:
            sets[key] = dns.rrset.from_rdata_list(change.name, change.ttl or 60, list(left))
        self._names[change.name] += bool(left) - bool(old)

    def _transfer(self, asked: dns.message.Message) -> Iterator[bytes]:
        zone = asked.question[0].name
        with self._lock:
            sets = dict(self._zones[zone])
        soa = sets.pop((zone, dns.rdatatype.SOA))
        rrsets = [soa, *sets.values(), soa]
        context = None
        for first in range(0, len(rrsets), _PART):
            answer = dns.message.make_response(asked)
            answer.answer = rrsets[first : first + _PART]
            yield answer.to_wire(multi=True, tsig_ctx=context)
            context = answer.tsig_ctx


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
