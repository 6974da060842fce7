"""What mends a finding: each act has a hand, and a rollout has none here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from include.audit import ACTS, Act, Finding
from include.verdict import Outcome
from snowmelt.errors import Conflict
from snowmelt.mend import MENDS, mend
from tests.plugins.snowmelt.kit import service, spec
from tests.plugins.snowmelt.world import FakeHost, FakeWorld

FQDN = "shop-q2w4e7r-0.lab.test"
GONE = Finding(
    system="any",
    thing="any",
    kind="orphan",
    reason="gone",
    service="shop",
    name="shop-q2w4e7r-0",
    address="198.18.0.200",
    vm_id=7,
)


def test_all_but_rollouts_and_nothing_are_done_here() -> None:
    assert set(ACTS) - set(MENDS) == {"rollout", "replace VM", "nothing"}


def test_removing_what_is_gone_succeeds(world: FakeWorld) -> None:
    for act in ACTS:
        if act.startswith(("remove", "deactivate")):
            assert mend(service(), replace(GONE, act=act)) is Outcome.UNCHANGED
    assert world.story == []


def test_a_service_without_balancer_or_monitoring_has_nothing_to_remove_there(
    world: FakeWorld,
) -> None:
    bare = service(balancer=None, monitoring=None, firewall=None)

    assert mend(bare, replace(GONE, act="remove member")) is Outcome.UNCHANGED
    assert mend(bare, replace(GONE, act="monitor VM")) is Outcome.UNCHANGED
    assert mend(bare, replace(GONE, act="remove entry")) is Outcome.UNCHANGED
    assert mend(bare, replace(GONE, act="open firewall")) is Outcome.UNCHANGED


@pytest.fixture
def running(world: FakeWorld) -> Finding:
    """Return what was found of a VM that runs."""
    vm = world.add_vm(spec("shop-q2w4e7r-0", "1.0"), phase="running")
    return replace(GONE, kind="drift", vm_id=vm.vm_id)


@pytest.mark.parametrize("act", ["monitor VM", "open firewall", "publish names"])
@pytest.mark.parametrize("phase", ["stopping", "done"])
def test_nothing_is_added_for_a_vm_that_went_since_the_look(
    world: FakeWorld, running: Finding, act: Act, phase: Any
) -> None:
    """Its rollout took it back while hundreds of other things were mended."""
    world.vms[running.vm_id or 0].phase = phase
    before = world.everything()

    assert mend(service(firewall={"group": "web_vms"}), replace(running, act=act)) is (
        Outcome.UNCHANGED
    )
    assert world.everything() == before


def test_a_host_of_ours_with_a_wrong_address_is_made_anew(
    world: FakeWorld, running: Finding
) -> None:
    world.hosts[FQDN] = host("198.18.0.7", snowmelt_service="shop")

    assert mend(service(), replace(running, act="monitor VM")) is Outcome.CREATED
    assert world.hosts[FQDN].address == "198.18.0.200"


@pytest.mark.parametrize("variables", [{}, {"snowmelt_service": "worker"}], ids=str)
def test_a_host_that_somebody_made_under_the_name_of_a_vm_stays(
    world: FakeWorld, running: Finding, variables: dict[str, str]
) -> None:
    """It is a conflict, which a person resolves; with the very address of the VM too."""
    theirs = world.hosts[FQDN] = host("198.18.0.200", **variables)

    with pytest.raises(Conflict):
        mend(service(), replace(running, act="monitor VM"))
    assert world.hosts == {FQDN: theirs}


def host(address: str, **variables: str) -> FakeHost:
    return FakeHost(address=address, template="m", variables=variables)


def test_of_a_vm_that_is_let_in_twice_the_wrong_address_goes(world: FakeWorld) -> None:
    guarded, fqdn = service(firewall={"group": "web_vms"}), "shop-q2w4e7r-0.lab.test"
    world.groups["web_vms"] = {"198.18.0.200": fqdn, "198.18.0.201": fqdn}

    assert mend(guarded, replace(GONE, act="remove entry")) is Outcome.REMOVED
    assert world.groups["web_vms"] == {"198.18.0.201": fqdn}


def test_a_vm_that_is_not_let_in_is_let_in(world: FakeWorld, running: Finding) -> None:
    guarded = service(firewall={"group": "web_vms"})

    assert mend(guarded, replace(running, act="open firewall")) is Outcome.CREATED
    assert world.groups["web_vms"] == {"198.18.0.200": "shop-q2w4e7r-0.lab.test"}
