"""A certificate authority in memory: cheap keys, so that the bench measures the product."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AttributeOID, NameOID

from lab.services.base import write

_DAY = timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """Signs for the stand-ins' servers, for the product's client and for the guests."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._guests = ec.generate_private_key(ec.SECP256R1())  # one for all: it costs the most
        self.certificate = self._sign("Bench CA", self.key.public_key(), _DAY, authority=True)
        self.pem = self.certificate.public_bytes(Encoding.PEM)

    def sign(self, request: x509.CertificateSigningRequest, ttl: timedelta) -> x509.Certificate:
        """A certificate for a guest's request."""
        name = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        return self._sign(str(name), self._guests.public_key(), ttl)

    def request(self, name: str, token: str) -> x509.CertificateSigningRequest:
        """What a guest sends: its name, and the token that it was given."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(_name(name))
        builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, token.encode())
        return builder.sign(self._guests, hashes.SHA256())

    def issue(self, name: str, address: str, folder: Path) -> tuple[Path, Path]:
        """The files of a server's or client's certificate and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._sign(name, key.public_key(), _DAY, address=address)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        files = folder / f"{name}.pem", folder / f"{name}.key"
        files[0].write_bytes(signed.public_bytes(Encoding.PEM))
        write(files[1], secret.decode(), 0o600)
        return files

    def _sign(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        ttl: timedelta,
        *,
        address: str = "",
        authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name("Bench CA"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + ttl)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if address:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256())


def server_tls(files: tuple[Path, Path]) -> ssl.SSLContext:
    """What a stand-in's server needs; it does not ask who is there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context
