"""What other systems may say of a living VM."""

from __future__ import annotations

import pytest

from tests.include.audit.fleet import ROLLOUT, Fleet

NAME, ADDRESS = f"shop-{ROLLOUT}-1", "198.18.0.101"
FQDN = f"{NAME}.lab.test"
BARE = {"balancer": None, "monitoring": None, "firewall": None}


def acts(fleet: Fleet) -> list[str]:
    return [each.finding.act for each in fleet.judged() if each.safe]


def test_a_service_without_balancer_monitoring_and_firewall_needs_none() -> None:
    fleet = Fleet()
    fleet.services[0] = fleet.services[0].model_copy(update=BARE)
    del fleet.hosts[FQDN], fleet.members[NAME], fleet.entries[ADDRESS]

    assert acts(fleet) == []


@pytest.mark.parametrize("state", ["up", "starting"])
def test_a_member_that_serves_or_soon_will_is_no_drift(state: str) -> None:
    fleet = Fleet()
    fleet.join(NAME, ADDRESS, state)

    assert acts(fleet) == []


def test_a_wrong_name_goes_before_the_right_one_is_published() -> None:
    """Else the right one would be a conflict."""
    fleet = Fleet()
    fleet.forward.discard((FQDN, ADDRESS))
    fleet.forward.add((FQDN, "198.18.0.7"))

    assert acts(fleet) == ["remove names", "publish names"]


def test_an_address_that_still_points_to_a_dead_vm_of_ours_is_free_soon() -> None:
    """Its leases go round: the pointer of the VM before is an orphan, and goes first."""
    fleet = Fleet()
    fleet.reverse.discard((FQDN, ADDRESS))
    fleet.reverse.add(("shop-q2w4e7r-1.lab.test", ADDRESS))

    assert acts(fleet) == ["remove names", "publish names"]


def test_a_vm_that_died_is_told_once_and_not_for_each_system() -> None:
    fleet = Fleet()
    fleet.turn(NAME, "unknown")
    fleet.join(NAME, ADDRESS, "down")
    fleet.nodes.discard(FQDN)

    assert acts(fleet) == ["rollout"]


def test_an_address_that_is_open_for_a_dead_vm_of_ours_is_free_soon() -> None:
    """Its leases go round here too."""
    fleet = Fleet()
    fleet.entries[ADDRESS] = "shop-q2w4e7r-1.lab.test"

    assert acts(fleet) == ["remove entry", "open firewall"]


def test_two_services_may_share_a_group() -> None:
    fleet = Fleet()
    fleet.services[1] = fleet.services[1].model_copy(
        update={"firewall": fleet.services[0].firewall}
    )
    for slot in (0, 1):
        fleet.entries[f"198.18.0.{102 + slot}"] = f"worker-{ROLLOUT}-{slot}.lab.test"

    assert fleet.judged() == ()
