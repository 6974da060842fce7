"""What other systems know of a VM, in the order to take it away."""

from __future__ import annotations

from snowmelt.identity import retirements
from tests.plugins.snowmelt.kit import OLD, service, serving
from tests.plugins.snowmelt.world import FakeWorld

FQDN = f"shop-{OLD}-0.lab.test"


def test_each_system_is_named_and_nothing_is_done_yet(world: FakeWorld) -> None:
    serving(world, f"shop-{OLD}-0")
    before = world.everything()
    kinds = [what for what, _ in retirements(service(), FQDN, None, revoke=False)]

    assert kinds == ["monitoring", "certificate", "PuppetDB node", "names"]
    guarded = service(firewall={"group": "web_vms"})
    kinds = [what for what, _ in retirements(guarded, FQDN, None, revoke=False)]
    assert kinds[:2] == ["monitoring", "firewall entry"]
    assert world.everything() == before


def test_a_certificate_whose_key_may_be_anywhere_is_revoked(world: FakeWorld) -> None:
    serving(world, f"shop-{OLD}-0")
    for _, remove in retirements(service(), FQDN, None, revoke=True):
        remove()

    assert f"revoke certificate of {FQDN}" in world.story


def test_what_is_gone_is_unchanged(world: FakeWorld) -> None:
    outcomes = [remove() for _, remove in retirements(service(), FQDN, None, revoke=True)]

    assert outcomes == ["unchanged"] * 4
