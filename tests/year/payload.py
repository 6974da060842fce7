"""What agents send to PuppetDB.

The payloads are like those of the lab's VMs, and as varied where it matters: names, addresses and
times differ from VM to VM, so that PuppetDB cannot keep them once for all.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

ENVIRONMENT = "production"
RESOURCES = 20

Payload = dict[str, Any]


def _facts_command(fqdn: str, address: str) -> Payload:
    return {**_head(fqdn), "values": facts(fqdn, address)}


def facts(fqdn: str, address: str) -> Payload:
    """Return what the agent found out about its VM."""
    mac = ":".join(f"{int(part):02x}" for part in ("2", "0", *address.split(".")))
    return {
        "hostname": fqdn.partition(".")[0],
        "fqdn": fqdn,
        "uuid": str(uuid.uuid4()),
        "networking": {
            "ip": address,
            "mac": mac,
            "interfaces": {"eth0": {"ip": address, "mac": mac, "mtu": 1500}},
        },
        "os": {"family": "Debian", "release": {"major": "12", "full": "12.5"}},
        "ssh": {"ecdsa": {"key": uuid.uuid4().hex * 4, "fingerprint": uuid.uuid4().hex}},
        "system_uptime": {"seconds": int(datetime.now(UTC).timestamp()) % 86400},
        **{f"lab_fact_{number:02}": f"the same everywhere {number}" for number in range(60)},
    }


def _catalog(fqdn: str, _address: str) -> Payload:
    titles = [f"/etc/snowmelt/{number}" for number in range(RESOURCES)]
    edges = pairwise(titles)
    return {
        **_head(fqdn),
        "version": str(int(datetime.now(UTC).timestamp())),
        "transaction_uuid": str(uuid.uuid4()),
        "catalog_uuid": str(uuid.uuid4()),
        "code_id": None,
        "job_id": None,
        "resources": [_resource(fqdn, title) for title in titles],
        "edges": [
            {
                "source": {"type": "File", "title": one},
                "target": {"type": "File", "title": other},
                "relationship": "before",
            }
            for one, other in edges
        ],
    }


def _resource(fqdn: str, title: str) -> Payload:
    own = fqdn if title.endswith("0") else "the same everywhere"  # two of them differ
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


def _report(fqdn: str, _address: str) -> Payload:
    now = datetime.now(UTC).isoformat()
    return {
        **_head(fqdn),
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
        "logs": [_log(fqdn, number, now) for number in range(5)],
        "resources": [_changed(number, now) for number in range(RESOURCES)],
    }


def _log(fqdn: str, number: int, now: str) -> Payload:
    return {
        "file": None,
        "line": None,
        "level": "notice",
        "message": f"{fqdn} changed {number}",
        "source": "Puppet",
        "tags": ["notice"],
        "time": now,
    }


def _changed(number: int, now: str) -> Payload:
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


def _head(fqdn: str) -> Payload:
    return {
        "certname": fqdn,
        "environment": ENVIRONMENT,
        "producer_timestamp": datetime.now(UTC).isoformat(),
        "producer": "puppet.lab.test",
    }


@dataclass(frozen=True)
class Command:
    """One of PuppetDB's commands: its version, and what to send for a VM."""

    version: int
    payload: Callable[[str, str], Payload]


COMMANDS = {
    "replace_facts": Command(5, _facts_command),
    "replace_catalog": Command(9, _catalog),
    "store_report": Command(8, _report),
}
