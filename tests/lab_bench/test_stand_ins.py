"""The product's hooks against the stand-ins: they answer as the real ones do, and they count."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from include.enrolment import make_token, objection
from include.facts import VmSpec
from include.verdict import Outcome
from lab.bench.cloud import Cloud
from lab.bench.site import NETWORK, TEMPLATE
from snowmelt.errors import Conflict, Missing
from snowmelt.hooks.haproxy import HaproxyHook
from snowmelt.hooks.icinga2 import Icinga2Hook
from snowmelt.hooks.nameserver import NameServerHook
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.hooks.puppet_ca import PuppetCaHook
from snowmelt.hooks.puppetdb import PuppetDbHook

FQDN = "bench000-abcdefg-0.bench.test"


def until(look: Callable[[], Any]) -> Any:
    end = time.monotonic() + 10
    while not (found := look()):
        assert time.monotonic() < end, "not within 10 s"
        time.sleep(0.02)
    return found


def mutating(cloud: Cloud) -> dict[str, int]:
    return {name: each["mutating"] for name, each in cloud.report().items() if each["mutating"]}


@pytest.mark.parametrize(
    "hook",
    [OpenNebulaHook, PuppetCaHook, PuppetDbHook, NameServerHook, HaproxyHook, Icinga2Hook],
)
def test_the_test_button_works(cloud: Cloud, hook: type[Any]) -> None:
    worked, message = hook().test_connection()

    assert worked, message


def test_a_guest_boots_asks_for_its_certificate_and_reports(cloud: Cloud) -> None:
    one, ca, database = OpenNebulaHook(), PuppetCaHook(), PuppetDbHook()
    vm, outcome = one.ensure_vm(spec(ca.enrolment_key))
    request = until(lambda: ca.request(FQDN))

    assert outcome is Outcome.CREATED
    assert objection(request, FQDN, "abcdefg", ca.enrolment_key, datetime.now(UTC)) is None
    assert database.last_reports([FQDN]) == {}

    certificate, _ = ca.ensure_signed(request, 3600)
    report = until(lambda: database.last_reports([FQDN]).get(FQDN))

    assert (certificate.state, report.status) == ("signed", "changed")
    assert database.nodes() == (FQDN,)
    assert database.deactivate(FQDN) is Outcome.REMOVED
    assert ca.remove_certificate(FQDN, revoke=False) is Outcome.REMOVED
    assert one.terminate(vm.vm_id) is Outcome.REMOVED
    until(lambda: not one.vm_states())
    # instantiate, release, terminate; sign, delete; deactivate
    assert mutating(cloud) == {"opennebula": 3, "puppet_ca": 2, "puppetdb": 1}


def spec(key: bytes) -> VmSpec:
    token = make_token(key, FQDN, "abcdefg", int(time.time()) + 60)
    return VmSpec(
        name=FQDN.partition(".")[0],
        fqdn=FQDN,
        template=TEMPLATE,
        service="bench000",
        rollout="abcdefg",
        slot=0,
        release="1.0",
        cpu=0.25,
        vcpu=1,
        memory_mb=64,
        networks=(NETWORK,),
        context={"SNOWMELT_TOKEN": token},
    )


def test_names_are_published_both_ways_and_transferred(cloud: Cloud) -> None:
    names = NameServerHook()
    many = [(f"vm{number}.bench.test", f"10.0.1.{number}") for number in range(1, 5)]
    for fqdn, address in many:
        assert names.ensure_address(fqdn, address, 60) is Outcome.CREATED
        assert names.ensure_address(fqdn, address, 60) is Outcome.UNCHANGED

    assert [(each.fqdn, each.address) for each in names.addresses("bench.test")] == many
    assert names.reverse("10.0.1.3") == ("vm3.bench.test",)
    with pytest.raises(Conflict):
        names.ensure_address("vm1.bench.test", "10.0.1.9", 60)
    assert [names.remove_address(*each) for each in many] == [Outcome.REMOVED] * 4
    assert names.addresses("bench.test") == ()
    assert mutating(cloud) == {"nameserver": 16}


def test_a_transfer_of_many_records_is_signed_in_parts(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.bench.names._PART", 3)
    names = NameServerHook()
    for number in range(1, 9):
        names.ensure_address(f"x{number}.bench.test", f"10.0.2.{number}", 60)

    assert len(names.addresses("bench.test")) == 8


def test_a_member_comes_up_keeps_its_sessions_for_a_while_and_leaves(cloud: Cloud) -> None:
    balancer = HaproxyHook()
    assert balancer.ensure_member("bench000", "vm-0", "10.0.0.9", 8080) is Outcome.CREATED
    assert balancer.members("bench000")[0].state in ("starting", "up")
    until(lambda: balancer.members("bench000")[0].state == "up")
    assert balancer.members("bench000", 60)[0].sessions > 0
    until(lambda: balancer.members("bench000")[0].since_s >= 1)

    balancer.drain("bench000", "vm-0")
    until(lambda: balancer.members("bench000", 60)[0].sessions == 0)

    assert balancer.members("bench000")[0].state == "drain"
    assert balancer.remove_member("bench000", "vm-0", cut=True) is Outcome.REMOVED
    assert balancer.members("bench000") == ()
    assert mutating(cloud) == {"balancer": 3}  # a line each to join, to drain and to go
    with pytest.raises(Missing):
        balancer.members("nowhere")


def test_checks_are_well_soon_after_they_were_asked_for(cloud: Cloud) -> None:
    monitoring = Icinga2Hook()
    variables = {"snowmelt_service": "bench000"}
    assert monitoring.ensure_host(FQDN, "10.0.0.9", "t", variables) is Outcome.CREATED
    assert monitoring.ensure_host(FQDN, "10.0.0.9", "t", variables) is Outcome.UNCHANGED
    (seen,) = monitoring.health([FQDN])
    assert {check.state for check in seen.checks} == {"pending"}

    monitoring.check_now(FQDN)

    until(lambda: all(c.state == "ok" for c in monitoring.health([FQDN])[0].checks))
    assert monitoring.hosts("bench000") == (FQDN,)
    assert monitoring.remove_host(FQDN) is Outcome.REMOVED
    assert monitoring.hosts() == ()
    assert mutating(cloud) == {"monitoring": 3}  # the host, its checks asked for, its removal


def test_what_a_stand_in_does_not_know_is_said(cloud: Cloud) -> None:
    with pytest.raises(Exception, match="does not know this"):
        Icinga2Hook()._query("hosts", {"filter": "something new", "filter_vars": {}})
