"""What a VM does by itself: asks for a certificate, and sends facts, catalog and report.

The payloads are as long as those of the lab's VMs, and as varied where it matters: names,
addresses and times differ from VM to VM, so that PuppetDB cannot keep them once for all.
"""

from __future__ import annotations

import itertools
import tempfile
import uuid
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

ENVIRONMENT = "production"
RESOURCES = 20
COMMANDS = {"replace_facts": 5, "replace_catalog": 9, "store_report": 8}
JSON = {"Content-Type": "application/json"}


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
            answer = session.put(
                f"{_base(ca)}/puppet-ca/v1/certificate_request/{self.fqdn}",
                data=request.public_bytes(Encoding.PEM),
                headers={"Content-Type": "text/plain"},
                timeout=60,
            )
        answer.raise_for_status()
        self.asked = True

    def send_facts_to_server(self, ca: PuppetCaHook) -> None:
        """As an agent does, with its own certificate; Puppet Server hands them on to PuppetDB."""
        now = datetime.now(UTC).isoformat()
        body = {"name": self.fqdn, "values": self._facts(), "timestamp": now}
        with self._own_session(ca) as session:
            answer = session.put(
                f"{_base(ca)}/puppet/v3/facts/{self.fqdn}",
                params={"environment": ENVIRONMENT},
                json=body,
                timeout=60,
            )
        answer.raise_for_status()

    def send(self, database: PuppetDbHook, command: str) -> None:
        """Send facts, catalog or report straight to PuppetDB, as Puppet Server does for it."""
        body = {
            "replace_facts": self._facts_command,
            "replace_catalog": self._catalog,
            "store_report": self._report,
        }[command]()
        answer = database.send(
            "POST",
            "/pdb/cmd/v1",
            params={
                "command": command,
                "version": COMMANDS[command],
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

    def _facts_command(self) -> dict[str, Any]:
        return {**self._head(), "values": self._facts()}

    def _facts(self) -> dict[str, Any]:
        mac = ":".join(f"{int(part):02x}" for part in ("2", "0", *self.address.split(".")))
        return {
            "hostname": self.fqdn.partition(".")[0],
            "fqdn": self.fqdn,
            "uuid": str(uuid.uuid4()),
            "networking": {
                "ip": self.address,
                "mac": mac,
                "interfaces": {"eth0": {"ip": self.address, "mac": mac, "mtu": 1500}},
            },
            "os": {"family": "Debian", "release": {"major": "12", "full": "12.5"}},
            "ssh": {"ecdsa": {"key": uuid.uuid4().hex * 4, "fingerprint": uuid.uuid4().hex}},
            "system_uptime": {"seconds": int(datetime.now(UTC).timestamp()) % 86400},
            **{f"lab_fact_{number:02}": f"the same everywhere {number}" for number in range(60)},
        }

    def _catalog(self) -> dict[str, Any]:
        titles = [f"/etc/snowmelt/{number}" for number in range(RESOURCES)]
        edges = itertools.pairwise(titles)
        return {
            **self._head(),
            "version": str(int(datetime.now(UTC).timestamp())),
            "transaction_uuid": str(uuid.uuid4()),
            "catalog_uuid": str(uuid.uuid4()),
            "code_id": None,
            "job_id": None,
            "resources": [self._resource(title) for title in titles],
            "edges": [
                {
                    "source": {"type": "File", "title": one},
                    "target": {"type": "File", "title": other},
                    "relationship": "before",
                }
                for one, other in edges
            ],
        }

    def _resource(self, title: str) -> dict[str, Any]:
        own = self.fqdn if title.endswith("0") else "the same everywhere"  # two of them differ
        return {
            "type": "File",
            "title": title,
            "aliases": [],
            "exported": False,
            "file": "/code/site.pp",
            "line": 7,
            "tags": ["file", "snowmelt_base"],
            "parameters": {"ensure": "file", "mode": "0644", "content": own},
        }

    def _report(self) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat()
        return {
            **self._head(),
            "puppet_version": "7.23.0",
            "report_format": 12,
            "configuration_version": now,
            "start_time": now,
            "end_time": now,
            "transaction_uuid": str(uuid.uuid4()),
            "catalog_uuid": str(uuid.uuid4()),
            "code_id": None,
            "job_id": None,
            "cached_catalog_status": "not_used",
            "status": "changed",
            "noop": False,
            "noop_pending": False,
            "corrective_change": False,
            "metrics": [{"category": "time", "name": f"m{n}", "value": n} for n in range(20)],
            "logs": [self._log(number, now) for number in range(5)],
            "resources": [self._changed(number, now) for number in range(RESOURCES)],
        }

    def _log(self, number: int, now: str) -> dict[str, Any]:
        return {
            "file": None,
            "line": None,
            "level": "notice",
            "message": f"{self.fqdn} changed {number}",
            "source": "Puppet",
            "tags": ["notice"],
            "time": now,
        }

    @staticmethod
    def _changed(number: int, now: str) -> dict[str, Any]:
        event = {
            "status": "success",
            "timestamp": now,
            "name": "created",
            "property": "ensure",
            "new_value": "file",
            "old_value": "absent",
            "message": f"created {number}",
            "corrective_change": False,
        }
        return {
            "timestamp": now,
            "resource_type": "File",
            "resource_title": f"/etc/snowmelt/{number}",
            "skipped": False,
            "file": "/code/site.pp",
            "line": 7,
            "containment_path": ["Stage[main]", "Snowmelt_base"],
            "corrective_change": False,
            "events": [event],
        }

    def _head(self) -> dict[str, Any]:
        return {
            "certname": self.fqdn,
            "environment": ENVIRONMENT,
            "producer_timestamp": datetime.now(UTC).isoformat(),
            "producer": "puppet.lab.test",
        }


def _base(hook: PuppetCaHook) -> str:
    return f"https://{hook.host()}:{hook.connection.port or hook.default_port}"
