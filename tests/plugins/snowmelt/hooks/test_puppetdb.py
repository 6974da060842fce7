"""The PuppetDB hook against a server that answers as PuppetDB 7.12.1 did, over mutual TLS."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from include.verdict import Outcome
from snowmelt.errors import Busy, Missing, NotAllowed, Refused, SnowmeltError, Unreachable
from snowmelt.hooks.puppetdb import PuppetDbHook, one_line
from tests.plugins.snowmelt.hooks.conftest import Connect
from tests.plugins.snowmelt.hooks.tls import Request, Site

FQDN = "shop-k3f7x2q-0.lab.test"


def report(certname: str = FQDN, status: str = "changed", **other: Any) -> dict[str, Any]:
    return {
        "certname": certname,
        "hash": "d334a136e568a5e8",
        "start_time": "2026-11-22T23:50:00.000Z",
        "end_time": "2026-11-22T23:50:12.771Z",
        "receive_time": "2026-11-22T23:50:13.100Z",
        "configuration_version": "1795391407",
        "report_format": 12,
        "puppet_version": "7.23.0",
        "transaction_uuid": "506718b3",
        "environment": "production",
        "status": status,
        "noop": False,
        "noop_pending": False,
        "metrics": {"data": []},
        "logs": {"data": []},
        **other,
    }


def event(certname: str, title: str, message: str) -> dict[str, Any]:
    texts = dict.fromkeys(("property", "new_value", "old_value", "containing_class"), "")
    return {
        **texts,
        "certname": certname,
        "status": "failure",
        "timestamp": "2026-11-22T23:50:11.000Z",
        "report": "d334a136e568a5e8",
        "resource_type": "Package",
        "resource_title": title,
        "message": message,
        "containment_path": [],
        "file": "",
        "line": 1,
    }


class Db:
    """Holds what each endpoint answers."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"reports": [], "events": [], "nodes": []}
        self.command: dict[str, Any] = {"processed": True}
        self.forgets = True
        self.queries: list[tuple[str, Any]] = []

    def __call__(self, request: Request) -> tuple[int, bytes]:
        parts = urlsplit(request.path)
        if parts.path == "/pdb/cmd/v1":
            if self.forgets:
                self.answers["nodes"] = []
            return 200, json.dumps(self.command).encode()
        endpoint = parts.path.removeprefix("/pdb/query/v4/")
        query = parse_qs(parts.query).get("query", ["null"])[0]
        self.queries.append((endpoint, json.loads(query)))
        return 200, json.dumps(self.answers[endpoint]).encode()


@pytest.fixture
def db(site: Site) -> Db:
    site.answer = made = Db()
    return made


@pytest.fixture
def hook(site: Site, db: Db, secured: dict[str, str], connect: Connect) -> PuppetDbHook:
    return PuppetDbHook(connect("puppetdb", host="127.0.0.1", port=site.port, extra=secured))


def node(certname: str) -> dict[str, Any]:
    kinds = ("report", "catalog", "facts")
    stamps = [f"{kind}_{what}" for kind in kinds for what in ("timestamp", "environment")]
    return {"certname": certname, **dict.fromkeys(["deactivated", "expired", *stamps])}


def test_the_last_reports_of_many_come_in_one_query(hook: PuppetDbHook, db: Db) -> None:
    """A VM without a report is left out."""
    db.answers["reports"] = [report(), report("other.lab.test", "unchanged")]

    found = hook.last_reports([FQDN, "other.lab.test", "new.lab.test"])

    assert set(found) == {FQDN, "other.lab.test"}
    assert found[FQDN].status == "changed"
    assert found[FQDN].end_time == datetime(2026, 11, 22, 23, 50, 12, 771000, tzinfo=UTC)
    assert found[FQDN].failures == ()
    names = ["array", ["new.lab.test", "other.lab.test", FQDN]]
    expected = ["and", ["in", "certname", names], ["=", "latest_report?", True]]
    assert db.queries == [("reports", expected)]


def test_reports_of_an_earlier_vm_of_the_name_are_left_out(hook: PuppetDbHook, db: Db) -> None:
    """PuppetDB does so by the time when it received them."""
    since = datetime(2026, 11, 22, 23, 50, tzinfo=UTC)

    hook.last_reports([FQDN], since)

    assert db.queries[0][1][3] == [">", "receive_time", "2026-11-22T23:50:00+00:00"]


def test_facts_of_many_come_in_one_query(hook: PuppetDbHook, db: Db) -> None:
    """Only those that were asked for; a VM that sent none is left out."""
    inventory = {"packages": {"nmap": "7.93"}, "listening": ["tcp 22"]}
    db.answers["facts"] = [
        {"certname": FQDN, "name": "timezone", "value": "UTC", "environment": "production"},
        {"certname": FQDN, "name": "snowmelt_inventory", "value": inventory, "environment": "p"},
    ]

    found = hook.facts([FQDN, "new.lab.test"], ["timezone", "snowmelt_inventory"])

    assert found == {FQDN: {"timezone": "UTC", "snowmelt_inventory": inventory}}
    names = ["in", "name", ["array", ["snowmelt_inventory", "timezone"]]]
    among = ["in", "certname", ["array", ["new.lab.test", FQDN]]]
    assert db.queries == [("facts", ["and", among, names])]


def test_a_failed_report_says_what_failed(hook: PuppetDbHook, db: Db) -> None:
    """Resource and message, from a second query for the failed ones alone."""
    db.answers["reports"] = [report(status="failed"), report("other.lab.test")]
    db.answers["events"] = [event(FQDN, "shop-app", "installing failed:\r\nno such column\n")]

    found = hook.last_reports([FQDN, "other.lab.test"])

    assert found[FQDN].failures == ("Package[shop-app]: installing failed:; no such column",)
    assert [endpoint for endpoint, _query in db.queries] == ["reports", "events"]
    assert db.queries[1][1][1] == ["in", "certname", ["array", [FQDN]]]


def test_a_run_without_a_catalog_says_why(hook: PuppetDbHook, db: Db) -> None:
    """No resource failed, and the log of the report has the reason."""
    logs = [
        {"level": "info", "message": "Using environment 'production'"},
        {"level": "err", "message": "Could not retrieve catalog from remote server"},
    ]
    db.answers["reports"] = [report(status="failed", logs={"data": logs})]

    failures = hook.last_reports([FQDN])[FQDN].failures

    assert failures == ("Could not retrieve catalog from remote server",)


def test_a_run_that_only_told_what_it_would_do(hook: PuppetDbHook, db: Db) -> None:
    """It is no proof that the release is there."""
    db.answers["reports"] = [report(status="unchanged", noop=True, noop_pending=True)]

    found = hook.last_reports([FQDN])[FQDN]

    assert (found.status, found.noop) == ("unchanged", True)


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    """The cause is near the end of what apt prints."""
    message = "returned 100: Reading package lists...\n" + "progress\r" * 50 + "E: the cause\n"

    told = one_line(message)

    assert told.startswith("returned 100: Reading")
    assert told.endswith("E: the cause")
    assert len(told) < 300
    assert "\n" not in told
    assert "\r" not in told


def test_the_active_vms_are_listed_by_name(hook: PuppetDbHook, db: Db) -> None:
    """The audit compares them with the VMs there are."""
    db.answers["nodes"] = [node("b.lab.test"), node("a.lab.test")]

    assert hook.nodes() == ("a.lab.test", "b.lab.test")


def test_a_known_vm_is_deactivated(hook: PuppetDbHook, db: Db, site: Site) -> None:
    """The call waits until PuppetDB has done it."""
    db.answers["nodes"] = [node(FQDN)]

    assert hook.deactivate(FQDN) is Outcome.REMOVED

    asked = next(each for each in site.asked if "/pdb/cmd" in each.path)
    assert "command=deactivate_node" in asked.path
    assert "secondsToWaitForCompletion=10" in asked.path
    assert json.loads(asked.body)["certname"] == FQDN


def test_a_node_with_newer_data_is_not_taken_for_deactivated(hook: PuppetDbHook, db: Db) -> None:
    """PuppetDB only logs that it keeps it: where our clock is behind, or the VM was faster."""
    db.answers["nodes"], db.forgets = [node(FQDN)], False

    with pytest.raises(Busy, match="newer data of shop-k3f7x2q-0"):
        hook.deactivate(FQDN)


def test_an_unknown_vm_is_not_deactivated(hook: PuppetDbHook, site: Site) -> None:
    """Removing what is gone succeeds, without a command."""
    assert hook.deactivate(FQDN) is Outcome.UNCHANGED
    assert all("/pdb/cmd" not in asked.path for asked in site.asked)


def test_a_command_that_is_not_done_in_time_is_tried_again(hook: PuppetDbHook, db: Db) -> None:
    """Accepted is not done."""
    db.answers["nodes"] = [node(FQDN)]
    db.command = {"uuid": "x", "processed": False, "timed_out": True}

    with pytest.raises(Unreachable, match="not done"):
        hook.deactivate(FQDN)


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Refused), (401, NotAllowed), (403, NotAllowed), (404, Missing), (500, Unreachable)],
)
@pytest.mark.parametrize("path", ["/pdb/query", "/pdb/cmd"])
def test_a_status_becomes_one_of_our_errors(
    hook: PuppetDbHook, db: Db, site: Site, status: int, error: type[SnowmeltError], path: str
) -> None:
    """The same for pypuppetdb's queries and for our own commands."""
    db.answers["nodes"] = [node(FQDN)]

    def refuse(request: Request) -> tuple[int, bytes]:
        return (status, b"its own words") if request.path.startswith(path) else db(request)

    site.answer = refuse

    with pytest.raises(SnowmeltError, match="its own words") as raised:
        hook.deactivate(FQDN)
    assert type(raised.value) is error


def test_no_server_there_is_unreachable(secured: dict[str, str], connect: Connect) -> None:
    """Airflow tries again."""
    hook = PuppetDbHook(connect("puppetdb", host="127.0.0.1", port=1, extra=secured))

    with pytest.raises(Unreachable):
        hook.nodes()


def test_the_test_button_counts_the_vms(hook: PuppetDbHook) -> None:
    """The connection form calls this."""
    assert hook.test_connection() == (True, "0 active VMs")


def test_what_should_have_been_purged_is_counted(hook: PuppetDbHook, site: Site) -> None:
    """Nodes by their own field, for PuppetDB refuses to compare it; the rest by its count."""
    answered = {
        "deactivated": [
            {"deactivated": "2026-11-01T00:00:00.000Z"},
            {"deactivated": "2026-11-20T00:00:00.000Z"},
        ],
        "expired": [{"count": 3}],
        "receive_time": [{"count": 7}],
    }

    def answer(request: Request) -> tuple[int, bytes]:
        query = parse_qs(urlsplit(request.path).query)["query"][0]
        (field,) = [name for name in answered if name in query]
        assert '["<", "deactivated"' not in query
        return 200, json.dumps(answered[field]).encode()

    site.answer = answer
    stale = hook.stale(datetime(2026, 11, 10, tzinfo=UTC))

    assert (stale.nodes, stale.reports) == (1 + 3, 7)


def test_a_puppetdb_that_is_away_is_not_taken_for_a_clean_one(
    hook: PuppetDbHook, site: Site
) -> None:
    """No answer is no count."""
    site.answer = lambda request: (503, b"starting")

    with pytest.raises(Unreachable):
        hook.stale(datetime(2026, 11, 10, tzinfo=UTC))
