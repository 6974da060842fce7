"""Puppet's CA, as far as the product asks it; guests put their requests in directly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from lab.bench.authority import Authority
from lab.bench.calls import Calls
from lab.bench.web import Answer, Question

SYSTEM = "puppet_ca"


@dataclass(frozen=True)
class _Entry:
    request: x509.CertificateSigningRequest
    certificate: x509.Certificate | None = None
    revoked: bool = False

    def status(self, name: str) -> dict[str, Any]:
        state = "signed" if self.certificate else "requested"
        return {
            "name": name,
            "state": "revoked" if self.revoked else state,
            "fingerprint": self._fingerprint(),
            "not_after": self._until(),
        }

    def _fingerprint(self) -> str:
        if self.certificate:
            return self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()
        return ""

    def _until(self) -> str | None:
        if self.certificate is None:
            return None
        return f"{self.certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SUTC}"


class PuppetCa:
    """Certificates and requests by name."""

    def __init__(self, calls: Calls, authority: Authority, signed: Callable[[str], None]) -> None:
        self.calls, self.authority, self.signed = calls, authority, signed
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._statuses: dict[str, dict[str, Any]] = {}

    def ask(self, name: str, request: x509.CertificateSigningRequest) -> None:
        """Put a guest's request in; a name that is taken keeps what it has, as at a real CA."""
        with self._lock:
            if name not in self._entries:
                self._keep(name, _Entry(request))

    def respond(self, question: Question) -> Answer:
        """Answer the product."""
        kind, name = question.path.removeprefix("/puppet-ca/v1/").split("/", 1)
        changes = question.method in ("PUT", "DELETE")
        self.calls.add(SYSTEM, f"{question.method} {kind}", mutating=changes)
        if kind == "certificate_statuses":
            with self._lock:
                return Answer(body=list(self._statuses.values()))
        entry = self._entries.get(name)
        if entry is None:
            return Answer(404, b"Not Found")
        if changes:
            return self._change(question, name, entry)
        return _shown(kind, entry, name)

    def _change(self, question: Question, name: str, entry: _Entry) -> Answer:
        with self._lock:
            if question.method == "DELETE":
                del self._entries[name], self._statuses[name]
                return Answer(204)
            if question.body["desired_state"] == "revoked":
                self._keep(name, replace(entry, revoked=True))
                return Answer(204)
            if entry.certificate:
                return Answer(409, b"signed already")
            ttl = timedelta(seconds=question.body["cert_ttl"])
            self._keep(name, replace(entry, certificate=self.authority.sign(entry.request, ttl)))
        self.signed(name)
        return Answer(204)

    def _keep(self, name: str, entry: _Entry) -> None:
        self._entries[name] = entry
        self._statuses[name] = entry.status(name)


def _shown(kind: str, entry: _Entry, name: str) -> Answer:
    if kind == "certificate_status":
        return Answer(body=entry.status(name))
    found = entry.request if kind == "certificate_request" else entry.certificate
    if found is None or (kind == "certificate_request" and entry.certificate):
        return Answer(404, b"Not Found")
    return Answer(body=found.public_bytes(Encoding.PEM))
