"""PuppetDB, as far as the product asks it; guests put their reports in directly."""

from __future__ import annotations

import json
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

from lab.bench.calls import Calls
from lab.bench.web import Answer, Question

SYSTEM = "puppetdb"
# What its clients expect of a node beside the name; nobody here reads any of it.
_NODE = (
    "latest_report_status",
    *("deactivated", "expired", "report_timestamp", "catalog_timestamp", "facts_timestamp"),
    *("report_environment", "catalog_environment", "facts_environment"),
)


class PuppetDb:
    """The latest report of each VM, and which VMs are active."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._lock = threading.Lock()
        self._reports: dict[str, dict[str, Any]] = {}
        self._active: dict[str, dict[str, Any]] = {}

    def report(self, certname: str) -> None:
        """Put a guest's good report in."""
        with self._lock:
            self._reports[certname] = _report(certname)
            self._active[certname] = _node(certname)

    def respond(self, question: Question) -> Answer:
        """Answer the product."""
        if question.path == "/pdb/cmd/v1":
            self.calls.add(SYSTEM, str(question.query["command"]), mutating=True)
            with self._lock:
                self._active.pop(question.query["certname"], None)
            return Answer(body={"uuid": str(uuid.uuid4()), "processed": True})
        kind = question.path.removeprefix("/pdb/query/v4/")
        self.calls.add(SYSTEM, kind, mutating=False)
        rows = {"reports": self._reports, "nodes": self._active}.get(kind, {})
        query = json.loads(question.query.get("query", "null"))
        with self._lock:
            return Answer(body=[row for row in rows.values() if matches(query, row)])


def matches(query: Any, row: dict[str, Any]) -> bool:
    """Whether a row is what an AST query asks for."""
    if query is None:
        return True
    operator, *rest = query
    if operator in ("and", "or"):
        found = (matches(part, row) for part in rest)
        return all(found) if operator == "and" else any(found)
    field, value = rest
    if operator == "in":
        return row[field] in value[1]
    if operator == ">":
        return str(row[field]) > str(value)
    return bool(row[field] == value)


def _node(certname: str) -> dict[str, Any]:
    return {"certname": certname, **dict.fromkeys(_NODE)}


def _report(certname: str) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "certname": certname,
        "hash": uuid.uuid4().hex,
        "start_time": now,
        "end_time": now,
        "receive_time": now,
        "configuration_version": "1",
        "report_format": 12,
        "puppet_version": "7.23.0",
        "transaction_uuid": str(uuid.uuid4()),
        "environment": "production",
        "status": "changed",
        "noop": False,
        "noop_pending": False,
        "latest_report?": True,
        "metrics": {"data": []},
        "logs": {"data": []},
    }
