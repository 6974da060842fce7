"""`kill -9` in the middle of a rollout: it ends well, and nobody outside notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from lab.airflow import faults
from lab.demo import world as worlds
from lab.demo.scene import DAG
from tests.lab.service import Shop, signed_more_than_once

pytestmark = pytest.mark.timeout(900)

STEPS = ("create_vm", "enrol_in_puppet", "drain")
Hit = Callable[[Shop, str, str], None]


def kill_task(shop: Shop, run_id: str, step: str) -> None:
    faults.kill_task(shop.wait_for_step(run_id, step, states=frozenset({"running"})).id)


def kill_both(shop: Shop, run_id: str, step: str) -> None:
    """Kill triggerer and scheduler: each comes back to what the other left half done."""
    shop.wait_for_step(run_id, step)
    for victim in ("triggerer", "scheduler"):
        faults.kill_process(shop.beside.supervisor, victim)


def rolled(shop: Shop, hits: Mapping[str, Hit]) -> None:
    """Replace all VMs under load, and hit each step meanwhile as *hits* says."""
    old, release = shop.serving()
    with shop.under_load():
        run_id = shop.airflow.trigger(DAG, release=release, replace="all")
        for step, hit in hits.items():
            hit(shop, run_id, step)
        state = shop.airflow.wait_for_run(DAG, run_id, 600)

    now = shop.world()
    new = worlds.vms_of(now, "shop")
    assert state == "success", shop.why(run_id)
    assert sorted((vm.name[-1], vm.release) for vm in new) == [("0", release), ("1", release)]
    assert worlds.traces(now, old) == []
    assert signed_more_than_once() == []


@contextmanager
def lost_answers(shop: Shop) -> Iterator[None]:
    """Lose those of the first two calls that make a VM: what was made is found by its name."""
    shop.serving()  # so that what is counted is the rollout alone
    shop.switches.reset()
    shop.switches.set("lose-answer", "one.template.instantiate", times=2)
    try:
        yield
    finally:
        shop.switches.clear()
    counted = shop.switches.counters()
    assert counted["calls"]["one.template.instantiate"] == 2
    assert counted["peak_connections"] <= 4


@pytest.mark.lab
def test_whatever_is_killed_nobody_notices_and_no_vm_is_made_twice(shop: Shop) -> None:
    with lost_answers(shop):
        rolled(shop, dict(zip(STEPS, (kill_task, kill_both, kill_task), strict=True)))


@pytest.mark.long
@pytest.mark.parametrize("kill", [kill_task, kill_both])
def test_the_same_is_killed_in_each_step(shop: Shop, kill: Hit) -> None:
    rolled(shop, dict.fromkeys(STEPS, kill))
