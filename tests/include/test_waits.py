"""What a look means for the one who waits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.facts import CheckResult, CloudVm, HostHealth, Member, PuppetReport
from include.verdict import Verdict, done, failed, pending
from include.waits import (
    all_gone_verdict,
    boot_verdict,
    drained_verdict,
    gone_verdict,
    health_verdict,
    report_verdict,
    request_verdict,
    serving_verdict,
)

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def vm(phase: Any, state: str, **fields: Any) -> CloudVm:
    return CloudVm(vm_id=7, name="web", phase=phase, state=state, created_at=NOW, **fields)


@pytest.mark.parametrize(
    ("seen", "means"),
    [
        (None, pending("web is not in OpenNebula's list yet")),
        (vm("pending", "PENDING"), pending("web (VM 7) is PENDING")),
        (
            vm("pending", "PENDING", message="No host with enough capacity"),
            pending("web (VM 7) is PENDING: No host with enough capacity"),
        ),
        (vm("starting", "ACTIVE/BOOT"), pending("web (VM 7) is ACTIVE/BOOT")),
        (vm("unknown", "ACTIVE/UNKNOWN"), pending("web (VM 7) is ACTIVE/UNKNOWN")),
        (vm("running", "ACTIVE/RUNNING"), done("web (VM 7) is ACTIVE/RUNNING")),
        (
            vm("running", "ACTIVE/RUNNING", host="h1"),
            done("web (VM 7) is ACTIVE/RUNNING on h1"),
        ),
    ],
)
def test_a_vm_that_boots(seen: CloudVm | None, means: Verdict) -> None:
    assert boot_verdict("web", seen) == means


@pytest.mark.parametrize("phase", ["failed", "off", "stopping", "done"])
def test_a_vm_that_will_not_run_any_more_is_tried_anew(phase: str) -> None:
    verdict = boot_verdict("web", vm(phase, "BOOT_FAILURE", message="no such image"))

    assert verdict == failed("web (VM 7) is BOOT_FAILURE: no such image", retryable=True)


@pytest.mark.parametrize(
    ("seen", "means"),
    [
        (None, done("web is gone")),
        (vm("done", "DONE"), done("web is gone")),
        (vm("stopping", "ACTIVE/SHUTDOWN"), pending("web (VM 7) is ACTIVE/SHUTDOWN")),
        # a shutdown that failed puts the VM silently back
        (vm("running", "ACTIVE/RUNNING"), pending("web (VM 7) is ACTIVE/RUNNING")),
    ],
)
def test_a_vm_that_goes(seen: CloudVm | None, means: Verdict) -> None:
    assert gone_verdict("web", seen) == means


def test_other_vms_do_not_matter_when_all_of_some_go() -> None:
    assert all_gone_verdict([8], [vm("running", "ACTIVE/RUNNING")]) == done("1 VMs are gone")
    assert all_gone_verdict([7], [vm("done", "DONE")]) == done("1 VMs are gone")
    assert all_gone_verdict([7, 8], [vm("stopping", "ACTIVE/EPILOG")]) == pending(
        "still there: web (ACTIVE/EPILOG)"
    )


def test_a_vm_asks_for_its_certificate() -> None:
    assert request_verdict("web", None).status == "pending"
    assert request_verdict("web", "requested") == done("the CA has web as requested")


def report(status: Any, *, noop: bool = False, failures: tuple[str, ...] = ()) -> PuppetReport:
    return PuppetReport(
        certname="web",
        status=status,
        noop=noop,
        environment="production",
        end_time=NOW,
        report_hash="0123456789abcdef",
        transaction_uuid="u",
        failures=failures,
    )


@pytest.mark.parametrize("status", ["changed", "unchanged"])
def test_a_good_report_ends_the_wait(status: str) -> None:
    assert report_verdict("web", report(status), 0, 0) == done(
        f"Puppet on web: {status} (report 01234567)"
    )


@pytest.mark.parametrize("seen", [None, report("unchanged", noop=True)])
def test_no_report_or_one_that_applied_nothing_says_nothing(seen: PuppetReport | None) -> None:
    assert report_verdict("web", seen, 0, 900).status == "pending"


def test_a_failed_report_counts_when_no_better_one_follows() -> None:
    bad = report("failed", failures=("Package[shop-app]: not found",))
    told = "Puppet on web failed: Package[shop-app]: not found"

    assert report_verdict("web", bad, 1, 119.9) == pending(told)
    assert report_verdict("web", bad, 1, 120) == failed(told)
    assert report_verdict("web", report("failed"), 1, 120).detail.endswith("see its report")


def test_the_last_run_of_the_first_boot_has_no_other_to_wait_for() -> None:
    assert report_verdict("web", report("failed"), 2, 1).status == "pending"
    assert report_verdict("web", report("failed"), 3, 1).status == "failed"


def health(host: Any, *checks: Any) -> HostHealth:
    def result(name: str, state: Any) -> CheckResult:
        output = "503" if state == "critical" else ""
        return CheckResult(name=name, state=state, output=output, checked_at=NOW)

    results = tuple(result(f"check{n}", state) for n, state in enumerate(checks))
    return HostHealth(name="web", address="a", host=result("ping", host), checks=results)


def test_a_vm_is_healthy_when_each_check_on_it_is_ok() -> None:
    assert health_verdict("web", health("ok", "ok", "ok")) == done("web: 3 checks are ok")


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (None, "web is not in monitoring yet"),
        (health("ok"), "web has no checks yet"),
        (health("pending", "ok"), "web: ping pending"),
        (health("ok", "ok", "critical"), "web: check1 critical (503)"),
        (health("ok", "warning"), "web: check0 warning"),
    ],
)
def test_a_vm_that_is_not_healthy_yet(seen: HostHealth | None, why: str) -> None:
    assert health_verdict("web", seen) == pending(why)


def member(state: Any, *, sessions: int = 0, connections: int = 0) -> Member:
    return Member(
        pool="shop",
        name="web",
        address="a",
        port=80,
        state=state,
        since_s=1,
        connections=connections,
        sessions=sessions,
        requests=0,
        errors=0,
    )


@pytest.mark.parametrize(
    ("seen", "means"),
    [
        (None, pending("web is not in the pool yet")),
        (member("starting"), pending("web is starting in pool shop")),
        (member("down"), pending("web is down in pool shop")),
        (member("up"), done("web serves in pool shop")),
    ],
)
def test_a_vm_that_joins(seen: Member | None, means: Verdict) -> None:
    assert serving_verdict("web", seen) == means


@pytest.mark.parametrize(
    ("seen", "means"),
    [
        (None, done("web is in no pool")),
        (member("drain"), done("web is drained")),
        (member("drain", sessions=2), pending("web still has 2 sessions, 0 connections")),
        (member("drain", connections=1), pending("web still has 0 sessions, 1 connections")),
        (member("up"), failed("web takes new sessions again: somebody ended its drain")),
    ],
)
def test_a_vm_that_drains(seen: Member | None, means: Verdict) -> None:
    assert drained_verdict("web", seen) == means
