"""PuppetDB: what the agents reported, and which VMs it knows."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pypuppetdb
import requests
from pypuppetdb.errors import APIError

from include.facts import PuppetReport
from include.state import StaleData
from include.verdict import Outcome
from snowmelt.errors import Busy, Missing, NotAllowed, Refused, SnowmeltError, Unreachable
from snowmelt.hooks.connection import TIMEOUT, tried
from snowmelt.hooks.rest import RestHook, whole

# Seconds that PuppetDB may take to process a command; it took less than 1.
_PROCESSING_S = 10
_BEGINNING = 60  # characters
_LAST_LINES = 8
_MOST = 1000  # nodes that are counted one by one
# A report's own log levels that say why a run failed.
_LOUD = frozenset({"err", "alert", "emerg", "crit"})


def error_for(status: int, text: str) -> SnowmeltError:
    """Return our error for an answer. The only place that knows PuppetDB's status codes."""
    kind = Unreachable if status >= 500 else _BY_STATUS.get(status, Refused)
    return kind(f"PuppetDB answers {status}: {text.strip()[:500]}")


_BY_STATUS: dict[int, type[SnowmeltError]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: Missing,
    429: Unreachable,
}


class PuppetDbHook(RestHook):
    """One PuppetDB: queries by pypuppetdb, commands by HTTP. Connection: as every REST hook."""

    default_conn_name = "snowmelt_puppetdb"
    conn_type = "puppetdb"
    hook_name = "PuppetDB"
    default_port = 8081

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__(conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """Count the VMs it knows, as the connection form's Test button does."""
        return tried(lambda: f"{len(self.nodes())} active VMs")

    def last_reports(
        self, certnames: Collection[str], since: datetime | None = None
    ) -> dict[str, PuppetReport]:
        """Return the latest report of each VM that has one, in one query for all.

        *since* leaves out what PuppetDB received earlier: it keeps the reports of a VM that is
        gone, and shows them as the latest of a new one of the same name until that has its own.
        A second query, for what failed, is made only when some report says so.
        """
        query = ["and", _among(certnames), ["=", "latest_report?", True]]
        if since is not None:
            query.append([">", "receive_time", since.isoformat()])
        with self._queries() as api:
            reports = list(api.reports(query=json.dumps(query)))
            failed = [report.node for report in reports if report.status == "failed"]
            failures = self._failures(api, failed) if failed else {}
        return {each.node: _report(each, failures.get(each.node, ())) for each in reports}

    def facts(
        self, certnames: Collection[str], names: Collection[str]
    ) -> dict[str, dict[str, Any]]:
        """Return the facts *names* of each active VM that sent them, in one query for all."""
        wanted = ["in", "name", ["array", sorted(names)]]
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        with self._queries() as api:
            for fact in api.facts(query=json.dumps(["and", _among(certnames), wanted])):
                found[fact.node][fact.name] = fact.value
        return dict(found)

    def nodes(self) -> tuple[str, ...]:
        """Return the certnames of all active VMs, by name."""
        with self._queries() as api:
            return tuple(sorted(node.name for node in api.nodes()))

    def known(self, certname: str) -> bool:
        """Say whether a VM is active."""
        with self._queries() as api:
            return any(True for _node in api.nodes(query=json.dumps(["=", "certname", certname])))

    def stale(self, before: datetime) -> StaleData:
        """Count what is older than *before* and of no use: nodes out of service, and reports.

        Of the deactivated nodes a thousand are looked at, the oldest first: PuppetDB cannot
        compare that field, it has it as text.
        """
        inactive, moment = ["=", "node_state", "inactive"], before.isoformat()
        deactivated = ["and", inactive, ["null?", "deactivated", False]]
        oldest = self._query(
            "nodes",
            ["extract", ["deactivated"], deactivated],
            order_by=json.dumps([{"field": "deactivated", "order": "asc"}]),
            limit=_MOST,
        )
        since = [datetime.fromisoformat(node["deactivated"]) for node in oldest]
        return StaleData(
            nodes=sum(gone < before for gone in since)
            + self._count("nodes", ["and", inactive, ["<", "expired", moment]]),
            reports=self._count("reports", ["<", "receive_time", moment]),
        )

    def _count(self, entity: str, query: list[Any]) -> int:
        return int(self._query(entity, ["extract", [["function", "count"]], query])[0]["count"])

    def _query(self, entity: str, query: list[Any], **paging: Any) -> Any:
        params = {"query": json.dumps(query), **paging}
        answer = self.send("GET", f"/pdb/query/v4/{entity}", params=params)
        if answer.status_code != requests.codes.ok:
            raise error_for(answer.status_code, answer.text)
        return whole(answer)

    def deactivate(self, certname: str) -> Outcome:
        """Take a VM and its exported resources out; returns when PuppetDB has done it."""
        if not self.known(certname):
            return Outcome.UNCHANGED
        answer = self.send(
            "POST",
            "/pdb/cmd/v1",
            params={
                "command": "deactivate_node",
                "version": 3,
                "certname": certname,
                "secondsToWaitForCompletion": _PROCESSING_S,
            },
            body={"certname": certname, "producer_timestamp": datetime.now(UTC).isoformat()},
        )
        if answer.status_code != requests.codes.ok:
            raise error_for(answer.status_code, answer.text)
        if not whole(answer).get("processed"):
            raise Unreachable(f"PuppetDB took deactivate {certname} and has not done it yet")
        if self.known(certname):  # it only logs that it has newer data, and says it is done
            raise Busy(f"PuppetDB has newer data of {certname} than now: do the clocks agree?")
        return Outcome.REMOVED

    def _failures(self, api: Any, certnames: list[str]) -> dict[str, tuple[str, ...]]:
        latest = ["=", "latest_report?", True]
        query = ["and", _among(certnames), latest, ["=", "status", "failure"]]
        found: dict[str, list[str]] = defaultdict(list)
        for event in api.events(query=json.dumps(query)):
            item = event.item
            told = one_line(str(item["message"]))
            found[event.node].append(f"{item['type']}[{item['title']}]: {told}")
        return {node: tuple(sentences) for node, sentences in found.items()}

    @contextmanager
    def _queries(self) -> Iterator[Any]:
        cert_file, key_file = self.client_certificate() or (None, None)
        api = pypuppetdb.connect(
            host=self.host(),
            port=self.connection.port or self.default_port,
            protocol="https",
            ssl_verify=self.verify(),
            ssl_cert=cert_file,
            ssl_key=key_file,
            timeout=TIMEOUT,
            url_path="",
        )
        api.session.trust_env = False
        try:
            yield api
        except requests.HTTPError as error:
            raise error_for(error.response.status_code, error.response.text) from error
        except (requests.RequestException, APIError) as error:
            raise Unreachable(f"PuppetDB: {error!r}") from error
        finally:
            api.disconnect()


def _among(certnames: Collection[str]) -> list[Any]:
    return ["in", "certname", ["array", sorted(certnames)]]


def _report(report: Any, failures: Iterable[str]) -> PuppetReport:
    return PuppetReport(
        certname=report.node,
        # pypuppetdb has a fourth status, for a run that only told what it would have changed.
        status="unchanged" if report.status == "noop" else report.status,
        noop=report.status == "noop",
        environment=report.environment or "",
        end_time=report.end.astimezone(UTC),
        report_hash=report.hash_,
        transaction_uuid=report.transaction or "",
        configuration_version=report.version or "",
        # A run without a catalog has no resource that failed; then its log tells why.
        failures=tuple(failures) or _loud(report),
    )


def _loud(report: Any) -> tuple[str, ...]:
    if report.status != "failed":
        return ()
    loud = (entry["message"] for entry in report.logs or () if entry["level"] in _LOUD)
    return tuple(map(one_line, loud))


def one_line(message: str) -> str:
    """Return a message that fits a log line: where it begins, and its last lines.

    A package that does not install brings all of apt's output; the cause is near its end.
    """
    lines = [line.strip() for line in re.split(r"[\r\n]+", message)]
    lines = [line for line in lines if line]
    if len(lines) <= _LAST_LINES:
        return "; ".join(lines)
    return f"{lines[0][:_BEGINNING]} … {'; '.join(lines[-_LAST_LINES:])}"
