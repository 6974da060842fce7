"""`kill -9` in the middle of a rollout: it ends well, and nobody outside notices."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.airflow import faults
from lab.demo import world as worlds
from lab.demo.scene import DAG
from tests.lab.service import Shop, signed_more_than_once

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

STEPS = ("create_vm", "enrol_in_puppet", "drain")


def rolled(shop: Shop, hit: Callable[[str, str], None]) -> None:
    """Replace all VMs under load, and *hit* (run id, step) each of STEPS meanwhile."""
    old, release = shop.serving()
    with shop.under_load():
        run_id = shop.airflow.trigger(DAG, release=release, replace="all")
        for step in STEPS:
            hit(run_id, step)
        state = shop.airflow.wait_for_run(DAG, run_id, 600)

    now = shop.world()
    new = worlds.vms_of(now, "shop")
    assert state == "success", shop.why(run_id)
    assert sorted((vm.name[-1], vm.release) for vm in new) == [("0", release), ("1", release)]
    assert worlds.traces(now, old) == []
    assert signed_more_than_once() == []


def test_killed_tasks_and_lost_answers_make_no_second_vm(shop: Shop) -> None:
    """Each slot is asked for once; what was made without an answer is found by its name."""

    def kill(run_id: str, step: str) -> None:
        faults.kill_task(shop.wait_for_step(run_id, step, states=frozenset({"running"})).id)

    shop.serving()  # so that what is counted is the rollout alone
    shop.switches.reset()
    shop.switches.set("lose-answer", "one.template.instantiate", times=2)
    try:
        rolled(shop, kill)
    finally:
        shop.switches.clear()

    counted = shop.switches.counters()
    assert counted["calls"]["one.template.instantiate"] == 2
    assert counted["peak_connections"] <= 4


def test_triggerer_and_scheduler_are_killed_together_in_three_steps(shop: Shop) -> None:
    """Each comes back to what the other left half done."""

    def kill(run_id: str, step: str) -> None:
        shop.wait_for_step(run_id, step)
        for victim in ("triggerer", "scheduler"):
            faults.kill_process(shop.beside.supervisor, victim)

    rolled(shop, kill)
