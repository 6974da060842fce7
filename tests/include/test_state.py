"""What may be removed, and what is too much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.facts import Certificate
from include.state import (
    RevocationList,
    StaleData,
    expired,
    list_faults,
    outdated,
    stale_faults,
    told,
)
from tests.include.audit.fleet import service

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def certificate(name: str, expired_for: timedelta | None) -> Certificate:
    not_after = None if expired_for is None else NOW - expired_for
    return Certificate(certname=name, state="signed", fingerprint="", not_after=not_after)


OURS = "shop-bbbbbbb-0.lab.test"


@pytest.mark.parametrize(
    ("name", "expired_for", "removed"),
    [
        (OURS, timedelta(days=2), True),
        (OURS, timedelta(hours=2), False),  # a clock may be wrong
        (OURS, timedelta(days=-1), False),
        (OURS, None, False),  # a request
        ("puppet.lab.test", timedelta(days=2), False),
        ("shop-1.lab.test", timedelta(days=2), False),
        ("wiki-bbbbbbb-0.lab.test", timedelta(days=2), False),  # still runs
        ("db-replica2-1.lab.test", timedelta(days=2), False),  # of no service of the catalogue
        ("shop-bbbbbbb-0.corp", timedelta(days=2), False),  # of another zone
    ],
)
def test_expired_certificates_of_vms_that_are_gone_are_removed(
    name: str, expired_for: timedelta | None, removed: bool
) -> None:
    services = [service("shop"), service("wiki")]
    found = expired([certificate(name, expired_for)], services, ["wiki-bbbbbbb-0"], NOW)

    assert found == ((name,) if removed else ())


def crl(**changes: Any) -> RevocationList:
    values: dict[str, Any] = {
        "issuer": "Puppet CA",
        "entries": 10,
        "size_bytes": 2048,
        "last_update": NOW - timedelta(days=3),
        "next_update": NOW + timedelta(days=365),
        **changes,
    }
    return RevocationList(**values)


def faults(*lists: RevocationList) -> tuple[str, ...]:
    return list_faults(lists, max_entries=100, min_days=30, now=NOW)


def test_a_small_list_that_lasts_is_fine() -> None:
    assert faults(crl(), crl(entries=100, next_update=None)) == ()


def test_a_list_that_grew_is_told_with_its_numbers() -> None:
    (fault,) = faults(crl(), crl(entries=101))

    assert "101" in fault
    assert "100" in fault


def test_a_list_that_runs_out_is_told_before_it_does() -> None:
    (fault,) = faults(crl(next_update=NOW + timedelta(days=29)))

    assert "29 days" in fault


def test_a_list_that_ran_out_is_told() -> None:
    assert "-1 days" in faults(crl(next_update=NOW - timedelta(days=1)))[0]


def test_no_list_at_all_is_a_fault() -> None:
    assert faults() != ()


def test_a_list_is_told_in_one_line() -> None:
    assert told(crl(), NOW) == ("Puppet CA: 10 entries, 2 KB, 3 days old, valid until 2027-11-24")


def test_what_puppetdb_should_have_removed_names_the_setting() -> None:
    assert stale_faults(StaleData(nodes=0, reports=0), 15) == ()
    assert "node-purge-ttl" in stale_faults(StaleData(nodes=3, reports=0), 15)[0]
    assert "report-ttl" in stale_faults(StaleData(nodes=0, reports=7), 15)[0]


def test_files_are_kept_for_some_days() -> None:
    day = 86400
    files = [("old", NOW.timestamp() - 31 * day), ("young", NOW.timestamp() - 29 * day)]

    assert outdated(files, 30, NOW) == ("old",)
