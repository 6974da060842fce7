"""A broken release comes to nothing: clients see no failure, old VMs serve on."""

from __future__ import annotations

import pytest

from lab.demo import world as worlds
from tests.lab.service import Shop

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

REASONS = {
    "1.2": "503 Service Unavailable",  # starts, then its health check fails
    "1.3": "Package[shop-app]",  # its package does not install
    "1.4": "with errors",  # answers 500 to one request in fifty under load
}


@pytest.mark.parametrize("release", REASONS)
def test_a_broken_release_leaves_the_old_vms_serving_and_no_trace(shop: Shop, release: str) -> None:
    old, _ = shop.serving()
    before = shop.world()
    with shop.under_load():
        state, run_id = shop.roll(release=release)

    assert state == "failed"
    assert REASONS[release] in shop.why(run_id)
    assert shop.vms() == old
    assert worlds.changes(before, shop.world()) == []


def test_release_1_4_was_taken_back_after_the_switch(shop: Shop) -> None:
    """The watch caught it when it carried all the traffic: the old VMs came back from drain."""
    run_id = shop.last_run(release="1.4")
    states = {task.step: task.state for task in shop.tasks(run_id)}

    assert (states["drain"], states["watch"]) == ("success", "failed")
    assert "undrain" in shop.log(run_id, "roll_back")
