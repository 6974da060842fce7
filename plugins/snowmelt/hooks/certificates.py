"""Certificate requests and certificates, taken apart (RFC 2986, RFC 5280)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AttributeOID, ExtensionOID, NameOID

from include.facts import CertificateRequest
from include.state import RevocationList
from snowmelt.errors import Refused

# The two attributes that ask for extensions. We read the first one, as Puppet's agent writes it;
# a signer could read the other one, so a second list is itself an extension nobody may have.
_EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
_MICROSOFT_EXTENSION_REQUEST = "1.3.6.1.4.1.311.2.1.14"
_END = b"-----END X509 CRL-----"


def parse_request(certname: str, pem: bytes) -> CertificateRequest:
    """Return a request taken apart; `Refused` when it cannot be read or is not self-signed."""
    try:
        csr = x509.load_pem_x509_csr(pem)
        extensions = list(csr.extensions)
        return CertificateRequest(
            certname=certname,
            common_name=_common_name(csr.subject),
            alt_names=tuple(_alt_names(extensions)),
            token=_token(csr),
            extensions=(*_oids(extensions), *_second_lists(csr)),
            public_key=_proved_key(certname, csr),
        )
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Refused(f"the certificate request of {certname} cannot be read: {error}") from error


def parse_revocation_lists(pem: bytes) -> tuple[RevocationList, ...]:
    """Return the measures of all revocation lists in a PEM text, one for each CA of a chain."""
    blocks = [block + _END for block in pem.split(_END) if b"-----BEGIN X509 CRL-----" in block]
    try:
        return tuple(map(_revocation_list, blocks))
    except ValueError as error:
        raise Refused(f"the revocation list cannot be read: {error}") from error


def _revocation_list(pem: bytes) -> RevocationList:
    found = x509.load_pem_x509_crl(pem)
    return RevocationList(
        issuer=_common_name(found.issuer),
        entries=len(found),
        size_bytes=len(pem),
        last_update=found.last_update_utc,
        next_update=found.next_update_utc,
    )


def key_of_certificate(pem: bytes) -> str:
    """Return the sha256 of a certificate's public key (subject public key info), hex."""
    return _fingerprint(x509.load_pem_x509_certificate(pem).public_key())


def _proved_key(certname: str, csr: x509.CertificateSigningRequest) -> str:
    if not csr.is_signature_valid:
        raise Refused(f"the certificate request of {certname} is not signed by its own key")
    return _fingerprint(csr.public_key())


def _fingerprint(key: CertificatePublicKeyTypes) -> str:
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(info).hexdigest()


def _common_name(subject: x509.Name) -> str:
    names = list(subject)
    if len(names) == 1 and names[0].oid == NameOID.COMMON_NAME:
        return str(names[0].value)
    return subject.rfc4514_string()  # more than a name: shown whole, and equal to no FQDN


def _alt_names(extensions: list[x509.Extension[x509.ExtensionType]]) -> Iterator[str]:
    for extension in extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            yield from (str(name.value) for name in extension.value)


def _oids(extensions: list[x509.Extension[x509.ExtensionType]]) -> Iterator[str]:
    for extension in extensions:
        if extension.oid != ExtensionOID.SUBJECT_ALTERNATIVE_NAME:  # those are in alt_names
            yield extension.oid.dotted_string


def _token(csr: x509.CertificateSigningRequest) -> str | None:
    for attribute in csr.attributes:
        if attribute.oid == AttributeOID.CHALLENGE_PASSWORD:
            return str(attribute.value, errors="replace")
    return None


def _second_lists(csr: x509.CertificateSigningRequest) -> Iterator[str]:
    count = Counter(attribute.oid.dotted_string for attribute in csr.attributes)
    if count[_MICROSOFT_EXTENSION_REQUEST]:
        yield _MICROSOFT_EXTENSION_REQUEST
    if count[_EXTENSION_REQUEST] > 1:
        yield _EXTENSION_REQUEST
