"""A broken release comes to nothing: clients see no failure, old VMs serve on."""

from __future__ import annotations

import pytest

from lab.demo import world as worlds
from lab.demo.scene import DAG
from tests.lab.service import Shop

pytestmark = pytest.mark.timeout(900)

STARTS_AND_IS_ILL = pytest.param("1.2", "503 Service Unavailable", marks=pytest.mark.lab)
DOES_NOT_INSTALL = pytest.param("1.3", "Package[shop-app]", marks=pytest.mark.long)


@pytest.mark.parametrize(("release", "reason"), [STARTS_AND_IS_ILL, DOES_NOT_INSTALL])
def test_a_broken_release_leaves_the_old_vms_serving_and_no_trace(
    shop: Shop, release: str, reason: str
) -> None:
    old, _ = shop.serving()
    before = shop.world()
    with shop.under_load():
        state, run_id = shop.roll(release=release)

    assert state == "failed"
    assert reason in shop.why(run_id)
    assert shop.vms() == old
    assert worlds.changes(before, shop.world()) == []


@pytest.mark.lab
def test_a_release_that_fails_under_load_is_taken_back_after_the_switch(shop: Shop) -> None:
    """1.4 answers 500 to one request in fifty once it has more than 62 customers at a time.

    The canary has a third of 70 clients and copes. The crowd comes when the old VMs drain: then
    the two new ones have 90 each, the watch sees it, and the old ones come back from drain.
    """
    old, _ = shop.serving()
    before = shop.world()
    with shop.under_load(clients=70):
        run_id = shop.airflow.trigger(DAG, release="1.4")
        shop.wait_for_step(run_id, "drain")
        with shop.under_load(clients=110):
            state = shop.airflow.wait_for_run(DAG, run_id, 400)

    states = {task.step: task.state for task in shop.tasks(run_id)}
    assert (state, states["drain"], states["watch"]) == ("failed", "success", "failed")
    assert "with errors" in shop.why(run_id)
    assert "undrain" in shop.log(run_id, "roll_back")
    assert shop.vms() == old
    assert worlds.changes(before, shop.world()) == []
