"""Each edge of the waits for the CA and for PuppetDB."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snowmelt.triggers.puppet import CertificateAskedTrigger, GoodReportTrigger
from tests.plugins.snowmelt.kit import serving, spec
from tests.plugins.snowmelt.triggers.examples import FQDN, NAME, PEERS
from tests.plugins.snowmelt.triggers.test_cloud import later
from tests.plugins.snowmelt.world import FakeWorld, Guest


@pytest.fixture
def asks(world: FakeWorld) -> CertificateAskedTrigger:
    return CertificateAskedTrigger(conn_id="c", certname=FQDN, deadline=world.clock.now + 60)


async def test_a_vm_asks_once_it_runs(world: FakeWorld, asks: CertificateAskedTrigger) -> None:
    world.add_vm(spec(NAME, "1.0"), phase="pending")

    assert (await asks.wait()).detail == f"the CA has {FQDN} as requested"


async def test_a_vm_that_is_signed_already_has_asked(
    world: FakeWorld, asks: CertificateAskedTrigger
) -> None:
    serving(world, NAME)

    assert (await asks.wait()).detail == f"the CA has {FQDN} as signed"


async def test_the_requests_of_others_do_not_matter(
    world: FakeWorld, asks: CertificateAskedTrigger
) -> None:
    serving(world, PEERS[1].removesuffix(".lab.test"))

    assert (await asks.wait()).status == "failed"


@pytest.fixture
def reports(world: FakeWorld) -> GoodReportTrigger:
    serving(world, NAME).reported = False
    return GoodReportTrigger(
        conn_id="c", certname=FQDN, peers=PEERS, deadline=world.clock.now + 300
    )


async def test_a_good_report_comes(reports: GoodReportTrigger) -> None:
    assert (await reports.wait()).detail == f"Puppet on {FQDN}: changed (report 01234567)"


def fails_for(world: FakeWorld, seconds: float) -> None:
    """Let Puppet fail, and do well from then on."""

    def mend() -> None:
        world.guests["1.0"] = Guest()

    world.guests["1.0"] = Guest(puppet="failed")
    later(world, seconds, mend)


async def test_a_failed_run_that_is_made_good_in_time(
    world: FakeWorld, reports: GoodReportTrigger
) -> None:
    fails_for(world, 20)

    assert (await reports.wait()).status == "done"


async def test_a_third_run_that_takes_long_is_waited_for(
    world: FakeWorld, reports: GoodReportTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.plugins.snowmelt.world.RUNS_AT_S", (2.0, 80.0, 170.0))
    fails_for(world, 160)

    assert (await reports.wait()).status == "done"


async def test_the_third_run_that_fails_ends_the_wait(
    world: FakeWorld, reports: GoodReportTrigger
) -> None:
    began = world.clock.now
    world.guests["1.0"] = Guest(puppet="failed", failures=("Package[shop-app]: no candidate",))
    verdict = await reports.wait()

    assert verdict.detail == f"Puppet on {FQDN} failed: Package[shop-app]: no candidate"
    assert 26 <= world.clock.now - began < 28


async def test_a_run_that_no_other_follows_ends_the_wait_after_two_minutes(
    world: FakeWorld, reports: GoodReportTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.plugins.snowmelt.world.RUNS_AT_S", (2.0,))
    began = world.clock.now
    world.guests["1.0"] = Guest(puppet="failed")

    assert (await reports.wait()).status == "failed"
    assert 122 <= world.clock.now - began < 125


async def test_a_run_that_applied_nothing_is_no_good_report(
    world: FakeWorld, reports: GoodReportTrigger
) -> None:
    world.tick()

    def only_looked() -> None:
        if FQDN in world.reports:
            world.reports[FQDN] = replace(world.reports[FQDN], noop=True)

    turn = world.tick

    def tick() -> None:
        turn()
        only_looked()

    world.tick = tick  # type: ignore[method-assign]

    assert "without applying anything" in (await reports.wait()).detail
