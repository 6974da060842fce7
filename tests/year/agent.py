"""What a VM does by itself: asks for a certificate, and sends facts, catalog and report."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AttributeOID, NameOID

from snowmelt.errors import Unreachable
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.hooks.puppetdb import PuppetDbHook
from tests.year.payload import COMMANDS, ENVIRONMENT, facts


class Agent:
    """One VM, as Puppet Server and PuppetDB see it. Its key is an EC one: made in no time."""

    def __init__(self, fqdn: str, address: str) -> None:
        self.fqdn, self.address = fqdn, address
        self.asked = False
        self.key = ec.generate_private_key(ec.SECP256R1())

    def ask_for_certificate(self, ca: PuppetCaHook, token: str) -> None:
        """Put the request in once, with the enrolment token as its challenge password."""
        if self.asked:
            return
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.fqdn)])
        request = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(name)
            .add_attribute(AttributeOID.CHALLENGE_PASSWORD, token.encode())
            .sign(self.key, hashes.SHA256())
        )
        with ca._session() as session:
            answer = _put(
                session,
                f"{_base(ca)}/puppet-ca/v1/certificate_request/{self.fqdn}",
                data=request.public_bytes(Encoding.PEM),
                headers={"Content-Type": "text/plain"},
            )
        answer.raise_for_status()
        self.asked = True

    def send_facts_to_server(self, ca: PuppetCaHook) -> None:
        """As an agent does, with its own certificate; Puppet Server hands them on to PuppetDB."""
        now = datetime.now(UTC).isoformat()
        body = {"name": self.fqdn, "values": facts(self.fqdn, self.address), "timestamp": now}
        with self._own_session(ca) as session:
            answer = _put(
                session,
                f"{_base(ca)}/puppet/v3/facts/{self.fqdn}",
                params={"environment": ENVIRONMENT},
                json=body,
            )
        answer.raise_for_status()

    def send(self, database: PuppetDbHook, command: str) -> None:
        """Send facts, catalog or report straight to PuppetDB, as Puppet Server does for it."""
        body = COMMANDS[command].payload(self.fqdn, self.address)
        answer = database.send(
            "POST",
            "/pdb/cmd/v1",
            params={
                "command": command,
                "version": COMMANDS[command].version,
                "certname": self.fqdn,
                "producer-timestamp": body["producer_timestamp"],
                # The last of them waits, or we would be minutes ahead of PuppetDB.
                **({"secondsToWaitForCompletion": 25} if command == "store_report" else {}),
            },
            body=body,
        )
        if answer.status_code != requests.codes.ok:
            raise Unreachable(f"PuppetDB answers {answer.status_code} to {command}: {answer.text}")

    @contextmanager
    def _own_session(self, ca: PuppetCaHook) -> Iterator[requests.Session]:
        with ca._session() as session:
            found = session.get(f"{_base(ca)}/puppet-ca/v1/certificate/{self.fqdn}", timeout=60)
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with tempfile.TemporaryDirectory() as folder, requests.Session() as own:
            file = Path(folder, "both.pem")
            file.write_bytes(found.content + key)
            own.trust_env, own.verify, own.cert = False, ca.verify(), str(file)
            yield own


def _put(session: requests.Session, url: str, **what: Any) -> requests.Response:
    try:
        return session.put(url, timeout=60, **what)
    except requests.RequestException as error:
        raise Unreachable(f"{url}: {error}") from error


def _base(hook: PuppetCaHook) -> str:
    return f"https://{hook.host()}:{hook.connection.port or hook.default_port}"
