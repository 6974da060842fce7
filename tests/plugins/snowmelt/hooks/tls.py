"""A certificate authority for one test, and an HTTPS server that asks for its certificates."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


class Authority:
    """Signs certificates for 127.0.0.1 and writes them down as PEM files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        basic = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder("Test CA", self.key).add_extension(basic, critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.ca_file = self._write("ca", self.certificate.public_bytes(Encoding.PEM))

    def issue(self, common_name: str) -> tuple[Path, Path]:
        """Return the files of a new certificate and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        builder = self._builder(common_name, key).add_extension(names, critical=False)
        text = self.sign(builder)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self._write(common_name, text), self._write(f"{common_name}-key", secret)

    def sign_request(self, request: x509.CertificateSigningRequest) -> bytes:
        """Return a certificate (PEM) for a request."""
        return self.sign(
            self._dated()
            .subject_name(request.subject)
            .issuer_name(self.certificate.subject)
            .public_key(request.public_key())
        )

    def revocation_list(self, revoked: int) -> bytes:
        """Return a revocation list (PEM) with that many entries, good for a day."""
        now = datetime.now(UTC).replace(microsecond=0)
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=self.certificate.subject,
            last_update=now,
            next_update=now + timedelta(days=1),
        )
        for number in range(1, revoked + 1):
            entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def sign(self, builder: x509.CertificateBuilder) -> bytes:
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _builder(self, common_name: str, key: Key) -> x509.CertificateBuilder:
        issuer = name("Test CA")
        return (
            self._dated()
            .subject_name(name(common_name))
            .issuer_name(issuer)
            .public_key(key.public_key())
        )

    def _dated(self) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
        )

    def _write(self, stem: str, text: bytes) -> Path:
        path = self.folder / f"{stem}.pem"
        path.write_bytes(text)
        return path


@dataclass
class Request:
    method: str
    path: str
    body: bytes
    headers: dict[str, str]


@dataclass
class Site:
    """What the server answers, and what it was asked."""

    port: int
    answer: Callable[[Request], tuple[int, bytes]] = lambda request: (404, b"")
    asked: list[Request] = field(default_factory=list)


@contextmanager
def https(authority: Authority, *, ask_certificate: bool) -> Iterator[Site]:
    """Yield a site on 127.0.0.1 whose clients prove who they are when *ask_certificate*."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        site = Site(server.server_port)
        server.daemon_threads = True
        server.RequestHandlerClass = _handler(site)
        server.socket = _context(authority, ask_certificate).wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()


def _context(authority: Authority, ask_certificate: bool) -> ssl.SSLContext:
    certificate, key = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if ask_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.ca_file)
    return context


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ssl.SSLError:  # a client that we do not let in
                self.close_connection = True

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            request = Request(self.command, self.path, body, dict(self.headers))
            site.asked.append(request)
            status, answer = site.answer(request)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_PUT = do_POST = do_DELETE = _any  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler
