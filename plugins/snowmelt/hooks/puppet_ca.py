"""Puppet's certificate authority (Puppet Server's CA API, v1).

Our own certificate carries pp_cli_auth, which the stock auth.conf lets do all of this, so nothing
has to be installed on the CA.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import requests

from include.facts import Certificate, CertificateRequest
from include.state import RevocationList
from include.verdict import Outcome
from snowmelt.errors import Conflict, Missing, NotAllowed, Refused, SnowmeltError, Unreachable
from snowmelt.hooks.certificates import (
    key_of_certificate,
    parse_request,
    parse_revocation_lists,
)
from snowmelt.hooks.connection import tried
from snowmelt.hooks.rest import RestHook, whole

_BASE = "/puppet-ca/v1"
# A certname becomes part of a path. Puppet itself takes only these characters.
_CERTNAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SHORTEST_KEY = 16  # bytes; a key that can be guessed lets anybody enrol


def error_for(status: int, text: str) -> SnowmeltError:
    """Return our error for an answer. The only place that knows the CA's status codes."""
    kind = Unreachable if status >= 500 else _BY_STATUS.get(status, Refused)
    return kind(f"Puppet CA answers {status}: {text.strip()[:500]}")


_BY_STATUS: dict[int, type[SnowmeltError]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: Missing,
    409: Conflict,  # signed already, or asks for what the CA does not sign
    429: Unreachable,
}


class PuppetCaHook(RestHook):
    """One CA. Connection: as for every REST hook; the password is the enrolment key."""

    default_conn_name = "snowmelt_puppet_ca"
    conn_type = "puppet_ca"
    hook_name = "Puppet CA"
    default_port = 8140

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__(conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """List the certificates, as the connection form's Test button does."""
        return tried(lambda: f"{len(self.certificates())} certificates and requests")

    @property
    def enrolment_key(self) -> bytes:
        """The key of the enrolment tokens; `Refused` when it is missing or short."""
        key = (self.connection.password or "").encode()
        if len(key) < _SHORTEST_KEY:
            raise Refused(
                f"connection {self.conn_id}: the enrolment key (password) needs {_SHORTEST_KEY} "
                f"bytes at least, it has {len(key)}"
            )
        return key

    def certificate(self, certname: str) -> Certificate | None:
        """Return what the CA has under a name, a request too; None when it has nothing."""
        answer = self._ask("GET", f"/certificate_status/{_checked(certname)}", found=(200, 404))
        return _certificate(whole(answer)) if answer.status_code == 200 else None

    def certificates(self) -> tuple[Certificate, ...]:
        """Return all certificates and requests, by name, in one call."""
        found = whole(self._ask("GET", "/certificate_statuses/all"))
        return tuple(sorted(map(_certificate, found), key=lambda each: each.certname))

    def request(self, certname: str) -> CertificateRequest | None:
        """Return the request that waits under a name, taken apart; None when there is none.

        `Refused` when it cannot be read or its signature is not by its own key.
        """
        answer = self._ask("GET", f"/certificate_request/{_checked(certname)}", found=(200, 404))
        return parse_request(certname, answer.content) if answer.status_code == 200 else None

    def sign(self, certname: str, ttl_s: int) -> Certificate:
        """Sign what waits under a name, for *ttl_s* seconds. It does not look at the request."""
        body = {"desired_state": "signed", "cert_ttl": ttl_s}
        self._ask("PUT", f"/certificate_status/{_checked(certname)}", body=body)
        self.log.info("signed %s for %s s", certname, ttl_s)
        signed = self.certificate(certname)
        if signed is None:
            raise Unreachable(f"the CA signed {certname} and does not show it yet")
        return signed

    def ensure_signed(self, request: CertificateRequest, ttl_s: int) -> tuple[Certificate, Outcome]:
        """Sign the request that was checked, and no other that took its place meanwhile.

        `Conflict` when the name has a certificate for another key. `Refused` when the request was
        swapped between the check and the signature: that certificate is revoked at once.
        """
        outcome = self._sign_once(request.certname, ttl_s)
        signed = self.certificate(request.certname)
        if signed is None or signed.state != "signed":
            raise Conflict(f"the certificate of {request.certname} is {signed and signed.state}")
        if self._public_key(request.certname) == request.public_key:
            return signed, outcome
        if outcome is Outcome.UNCHANGED:
            raise Conflict(f"{request.certname} has a certificate for another key")
        self.remove_certificate(request.certname, revoke=True)
        raise Refused(f"the request of {request.certname} was swapped after its check; revoked")

    def remove_certificate(self, certname: str, revoke: bool) -> Outcome:
        """Delete certificate and waiting request; *revoke* adds an entry to the revocation list.

        A short-lived certificate of a VM that is gone needs none; see the deadline in it.
        """
        seen = self.certificate(certname)
        if seen is None:
            return Outcome.UNCHANGED
        path = f"/certificate_status/{certname}"
        if revoke and seen.state == "signed":
            self._revoke(certname)
        answer = self._ask("DELETE", path, found=(200, 204, 404))
        return Outcome.UNCHANGED if answer.status_code == 404 else Outcome.REMOVED

    def revocation_lists(self) -> tuple[RevocationList, ...]:
        """Return the measures of the CA's revocation list, and of those above it in the chain."""
        return parse_revocation_lists(self._ask("GET", "/certificate_revocation_list/ca").content)

    def _revoke(self, certname: str) -> None:
        try:
            self._ask("PUT", f"/certificate_status/{certname}", body={"desired_state": "revoked"})
        except (Missing, Conflict):
            seen = self.certificate(certname)
            if seen is not None and seen.state == "signed":
                raise  # the CA does not want to revoke it
            # another try of the same task was faster: what it left is still to be deleted

    def _sign_once(self, certname: str, ttl_s: int) -> Outcome:
        seen = self.certificate(certname)
        if seen is not None and seen.state != "requested":
            return Outcome.UNCHANGED
        try:
            self.sign(certname, ttl_s)
        except Conflict:
            seen = self.certificate(certname)
            if seen is None or seen.state != "signed":
                raise  # the CA does not want to sign it
            return Outcome.UNCHANGED  # another try of the same task was faster
        return Outcome.CREATED

    def _public_key(self, certname: str) -> str:
        return key_of_certificate(self._ask("GET", f"/certificate/{certname}").content)

    def _ask(
        self, method: str, path: str, *, body: Any = None, found: tuple[int, ...] = (200, 204)
    ) -> requests.Response:
        answer = self.send(method, f"{_BASE}{path}", body=body)
        if answer.status_code not in found:
            raise error_for(answer.status_code, answer.text)
        return answer


def _certificate(status: dict[str, Any]) -> Certificate:
    return Certificate(
        certname=str(status["name"]),
        state=status["state"],
        fingerprint=str(status["fingerprint"]),
        not_after=_time(status.get("not_after")),
    )


def _time(text: str | None) -> datetime | None:
    # "2026-11-24T12:00:00UTC"; a waiting request has none
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SUTC").replace(tzinfo=UTC) if text else None


def _checked(certname: str) -> str:
    if not _CERTNAME.fullmatch(certname):
        raise Refused(f"{certname!r} cannot be a certname")
    return certname
