"""Take a VM into Puppet: only the VM that was made, only once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from include.facts import PuppetReport
from snowmelt.errors import Refused, SnowmeltError, Unreachable
from snowmelt.operators.enrolment import EnrolInPuppet
from snowmelt.operators.vm import CreateVm
from tests.plugins.snowmelt.kit import (
    NEW,
    Make,
    killed_while_waiting,
    planned,
    run,
    service,
    vm_of,
)
from tests.plugins.snowmelt.world import FakeCertificate, FakeWorld, Guest

FQDN = f"shop-{NEW}-0.lab.test"


def enrol(deferrable: bool = True) -> Make:
    """Make the VM, and return what makes the task that enrols it."""
    rollout = planned(service())
    vm = vm_of(rollout, "new")
    run(lambda: CreateVm(task_id="c", rollout=rollout, vm=vm))
    return lambda: EnrolInPuppet(task_id="t", rollout=rollout, vm=vm, deferrable=deferrable)


def test_a_request_with_the_vms_token_is_signed_for_a_short_time(
    world: FakeWorld, deferrable: bool
) -> None:
    run(enrol(deferrable))

    certificate = world.certificates[FQDN]
    assert (certificate.state, certificate.key) == ("signed", "key-of-0")
    assert certificate.ttl_s == 3 * 86400
    assert world.reports[FQDN].status == "changed"


def test_a_request_that_is_there_already_is_signed_in_the_same_process(world: FakeWorld) -> None:
    """VMs boot while their names are published: it mostly is, and a process less is 0.3 CPU-s."""
    task = enrol()
    world.clock.pass_s(60)

    killed_while_waiting(task)

    assert world.certificates[FQDN].state == "signed"


def test_a_second_run_signs_nothing(world: FakeWorld, deferrable: bool) -> None:
    task = enrol(deferrable)
    run(task)
    before = world.everything()
    run(task)

    assert world.everything() == before
    assert world.calls["ensure_signed"] == 1


def test_killed_after_signing_the_next_try_signs_nothing(world: FakeWorld) -> None:
    world.lose_answer("ensure_signed", Unreachable("no answer"))
    task = enrol()
    with pytest.raises(Unreachable):
        run(task)
    run(task)

    assert world.story.count(f"sign {FQDN}") == 1


@pytest.mark.parametrize("lost", [False, True], ids=["all is well", "the answer is lost"])
def test_what_a_vm_before_of_that_name_reported_counts_for_nothing(
    world: FakeWorld, lost: bool
) -> None:
    """A cleared run gives the names anew, and PuppetDB keeps what the first VMs have sent."""
    world.guests["1.0"] = Guest(puppet="failed")
    world.reports[FQDN] = a_good_one(world)
    world.clock.pass_s(60)
    task = enrol()
    if lost:
        world.lose_answer("ensure_signed", Unreachable("no answer"))
        with pytest.raises(Unreachable):
            run(task)

    with pytest.raises(Refused, match=r"Puppet on .* failed"):
        run(task)


def test_what_this_vm_reported_while_the_answer_was_lost_counts(world: FakeWorld) -> None:
    world.lose_answer("ensure_signed", Unreachable("no answer"))
    task = enrol()
    with pytest.raises(Unreachable):
        run(task)
    world.clock.pass_s(60)
    world.tick()
    assert world.reports[FQDN].status == "changed"
    began = world.clock.now
    run(task)

    assert world.clock.now - began < 5


def a_good_one(world: FakeWorld) -> PuppetReport:
    return PuppetReport(
        certname=FQDN,
        status="changed",
        noop=False,
        environment="production",
        end_time=datetime.fromtimestamp(world.clock.now, UTC),
        report_hash="of another",
        transaction_uuid="0",
    )


def test_killed_while_it_waits_for_the_request(world: FakeWorld) -> None:
    task = enrol()
    killed_while_waiting(task)
    run(task)

    assert world.story.count(f"sign {FQDN}") == 1


def _stolen(_: str) -> str:
    return "1.aaaa"


@pytest.mark.parametrize(
    "guest",
    [
        Guest(token=lambda _: None),
        Guest(token=_stolen),
        Guest(alt_names=("puppet.lab.test",)),
    ],
    ids=["no token", "a token of its own making", "another name beside its own"],
)
def test_a_request_that_proves_nothing_stays_unsigned(
    world: FakeWorld, deferrable: bool, guest: Guest
) -> None:
    world.guests["1.0"] = guest

    with pytest.raises(Refused, match=f"request of {FQDN} stays unsigned: "):
        run(enrol(deferrable))
    assert FQDN in world.requests
    assert world.certificates == {}


def test_the_token_of_a_sister_does_not_help(world: FakeWorld) -> None:
    rollout = planned(service())
    first, second = rollout["plan"]["new"]
    for vm in (first, second):
        run(partial(CreateVm, task_id="c", rollout=rollout, vm=vm))
    world.tick()
    one, other = sorted(world.requests)
    world.requests[other] = replace(world.requests[other], token=world.requests[one].token)

    run(partial(EnrolInPuppet, task_id="t", rollout=rollout, vm=first))
    with pytest.raises(Refused, match="stays unsigned"):
        run(partial(EnrolInPuppet, task_id="t", rollout=rollout, vm=second))
    assert list(world.certificates) == [one]


def test_a_vm_that_never_asks_ends_with_the_deadline(world: FakeWorld, deferrable: bool) -> None:
    world.guests["1.0"] = Guest(asks=False)

    with pytest.raises(SnowmeltError, match="has not asked for a certificate yet"):
        run(enrol(deferrable))


def test_a_revoked_certificate_is_told(world: FakeWorld) -> None:
    task = enrol()
    world.guests["1.0"] = Guest(asks=False)
    world.requests.clear()
    world.certificates[FQDN] = FakeCertificate(state="revoked", key="k", signed_at=0, ttl_s=1)

    with pytest.raises(Refused, match=f"certificate of {FQDN} is revoked"):
        run(task)


def test_a_ca_that_signs_by_itself_is_refused(world: FakeWorld, deferrable: bool) -> None:
    """Whoever asked first for the name has the certificate, and nobody saw a token."""
    task = enrol(deferrable)
    world.guests["1.0"] = Guest(asks=False)
    world.requests.clear()
    world.certificates[FQDN] = FakeCertificate(
        state="signed", key="k", signed_at=world.clock.now, ttl_s=5 * 365 * 86400
    )

    with pytest.raises(Refused, match=r"set autosign = false in puppet\.conf"):
        run(task)


def test_a_release_that_does_not_install_is_told_with_puppets_words(
    world: FakeWorld, deferrable: bool
) -> None:
    world.guests["1.0"] = Guest(puppet="failed", failures=("Package[shop-app]: no candidate",))

    with pytest.raises(Refused, match=r"failed: Package\[shop-app\]: no candidate"):
        run(enrol(deferrable))


def test_the_ca_and_puppetdb_are_away_for_a_while(world: FakeWorld, deferrable: bool) -> None:
    task = enrol(deferrable)
    world.fail("certificate", Unreachable("refused"), times=2)
    world.fail("last_reports", Unreachable("refused"), times=1)

    with pytest.raises(Unreachable):  # nothing is signed before PuppetDB was asked
        run(task)
    assert world.calls["ensure_signed"] == 0
    run(task)

    assert world.certificates[FQDN].state == "signed"


def test_a_vm_that_was_rolled_back_is_not_waited_for(world: FakeWorld, deferrable: bool) -> None:
    """Somebody cleared this step alone."""
    task = enrol(deferrable)
    world.vms[0].phase = "done"
    began = world.clock.now

    with pytest.raises(Refused, match=f"shop-{NEW}-0 is gone: .* Clear the whole run"):
        run(task)
    assert world.clock.now == began
