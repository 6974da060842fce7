"""May this certificate request be signed? A pure decision over the request and the clock.

The token is a keyed hash over the VM's name, its rollout and an expiry, so nothing has to be
stored anywhere; it is good for one use because the CA signs a name once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta

from include.facts import Certificate, CertificateRequest

# Puppet's registered and private extensions. The third arc, 1.3.6.1.4.1.34380.1.3, holds the
# authorization extensions: a certificate with pp_cli_auth could sign others.
EXTENSION_ARCS: tuple[str, ...] = ("1.3.6.1.4.1.34380.1.1", "1.3.6.1.4.1.34380.1.2")

# how far the CA's clock may be ahead of ours
_SKEW = timedelta(hours=1)


def make_token(key: bytes, fqdn: str, rollout: str, expires_at: int) -> str:
    """Return the token of one VM: `<expiry, epoch seconds>.<base64url of HMAC-SHA256>`.

    ValueError without a key: a hash that everybody can make would prove nothing.
    """
    if not key:
        raise ValueError("the enrolment key is empty")
    proof = hmac.new(key, f"{fqdn}|{rollout}|{expires_at}".encode(), hashlib.sha256).digest()
    return f"{expires_at}.{base64.urlsafe_b64encode(proof).decode().rstrip('=')}"


def objection(
    request: CertificateRequest, fqdn: str, rollout: str, key: bytes, now: datetime
) -> str | None:
    """Return why this request must not be signed for *fqdn*, or None when it may be.

    The sentence names what is wrong and never the token.
    """
    return _identity(request, fqdn) or _token(request.token, fqdn, rollout, key, now)


def not_by_us(certificate: Certificate, ttl: timedelta, now: datetime) -> bool:
    """Return whether somebody else had this certificate signed: ours end within *ttl*.

    A CA that signs by itself gives years, to whoever asks.
    """
    end = certificate.not_after
    return end is not None and end > now + ttl + _SKEW


def _identity(request: CertificateRequest, fqdn: str) -> str | None:
    if request.certname != fqdn:
        return f"the request stands under the name {request.certname}, not {fqdn}"
    if request.common_name != fqdn:
        return f"its common name is {request.common_name!r}, not {fqdn}"
    others = sorted(set(request.alt_names) - {fqdn})
    if others:
        return f"it asks for other names: {', '.join(others)}"
    foreign = sorted(oid for oid in request.extensions if not _allowed(oid))
    if foreign:
        return f"it asks for extensions that a VM must not have: {', '.join(foreign)}"
    return None


def _allowed(oid: str) -> bool:
    return oid.startswith(tuple(f"{arc}." for arc in EXTENSION_ARCS))


def _token(token: str | None, fqdn: str, rollout: str, key: bytes, now: datetime) -> str | None:
    if not token:
        return "it carries no enrolment token (challengePassword)"
    expiry = token.partition(".")[0]
    if not (expiry.isascii() and expiry.isdigit() and len(expiry) <= 12):
        return "its enrolment token is malformed"
    expected = make_token(key, fqdn, rollout, int(expiry))
    if not hmac.compare_digest(token.encode(), expected.encode()):
        return "its enrolment token was not made for this VM and rollout"
    if now.timestamp() >= int(expiry):
        late = round(now.timestamp() - int(expiry))
        return f"its enrolment token expired {late} s ago"
    return None
