"""`kill -9` in the middle of a rollout: it ends well, and nobody outside notices."""

from __future__ import annotations

import pytest

from lab.airflow import faults
from lab.demo import world as worlds
from lab.demo.scene import DAG
from tests.lab.service import Shop, signed_more_than_once

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

STEPS = ("create_vm", "enrol_in_puppet", "drain")


def kill(shop: Shop, run_id: str, victims: tuple[str, ...], step: str) -> None:
    if "task" in victims:
        faults.kill_task(shop.wait_for_step(run_id, step, states=frozenset({"running"})).id)
        return
    shop.wait_for_step(run_id, step)
    for victim in victims:
        faults.kill_process(shop.beside.supervisor, victim)


# both at once: each comes back to what the other left half done
@pytest.mark.parametrize("victims", [("task",), ("triggerer", "scheduler")], ids=" and ".join)
def test_a_rollout_survives_kills_in_three_steps(shop: Shop, victims: tuple[str, ...]) -> None:
    old, release = shop.serving()
    with shop.under_load():
        run_id = shop.airflow.trigger(DAG, release=release, replace="all")
        for step in STEPS:
            kill(shop, run_id, victims, step)
        state = shop.airflow.wait_for_run(DAG, run_id, 600)

    now = shop.world()
    new = worlds.vms_of(now, "shop")
    assert state == "success", shop.why(run_id)
    assert sorted((vm.name[-1], vm.release) for vm in new) == [("0", release), ("1", release)]
    assert worlds.traces(now, old) == []
    assert signed_more_than_once() == []
