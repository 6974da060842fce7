"""Somebody stops a rollout in the middle, as docs/how-to/a-run-failed.md says or warns of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.demo import world as worlds
from lab.demo.scene import DAG
from tests.lab.service import Shop

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
PENDING = frozenset({"running", "deferred"})


@contextmanager
def nobody_notices(shop: Shop) -> Iterator[str]:
    """Begin a rollout under load, and yield its run while the old VMs drain.

    In the end the old VMs serve, and there is no trace of any other.
    """
    old, release = shop.serving()
    before = shop.world()
    with shop.under_load():
        run_id = shop.airflow.trigger(DAG, release=release)
        shop.wait_for_step(run_id, "drain", states=PENDING)
        yield run_id
    assert shop.vms() == old
    assert worlds.changes(before, shop.world()) == []


def states(shop: Shop, run_id: str) -> dict[str, str | None]:
    return {task.step: task.state for task in shop.tasks(run_id)}


def test_one_task_that_is_marked_failed_takes_the_rollout_back(shop: Shop) -> None:
    with nobody_notices(shop) as run_id:
        shop.airflow.mark_failed(DAG, run_id, shop.wait_for_step(run_id, "drain", states=PENDING))
        assert shop.airflow.wait_for_run(DAG, run_id, 300) == "failed"

    assert states(shop, run_id)["roll_back"] == "success"


def test_a_run_that_is_marked_failed_is_taken_back_by_its_roll_back_alone(shop: Shop) -> None:
    """Airflow skips what has not begun: nothing is undone until somebody clears that task."""
    with nobody_notices(shop) as run_id:
        shop.airflow.send("PATCH", f"/dags/{DAG}/dagRuns/{run_id}", json={"state": "failed"})
        assert shop.airflow.wait_for_run(DAG, run_id, 60) == "failed"
        assert states(shop, run_id)["roll_back"] == "skipped"
        assert len(shop.vms()) == 4

        shop.airflow.clear(DAG, run_id, "roll_back")
        assert shop.airflow.wait_for_run(DAG, run_id, 300) == "success"


def test_a_whole_run_that_is_cleared_has_its_way_back_to_vms_that_it_had_drained(
    shop: Shop,
) -> None:
    """It adopts the new ones; when these fail then, nobody else would let the old ones serve."""
    with nobody_notices(shop) as run_id:
        shop.airflow.send("PATCH", f"/dags/{DAG}/dagRuns/{run_id}", json={"state": "failed"})
        shop.airflow.wait_for_run(DAG, run_id, 60)
        shop.airflow.clear(DAG, run_id)
        shop.wait_for_step(run_id, "watch", states=PENDING)
        shop.airflow.mark_failed(DAG, run_id, shop.wait_for_step(run_id, "watch", states=PENDING))
        assert shop.airflow.wait_for_run(DAG, run_id, 300) == "failed"

    assert states(shop, run_id)["roll_back"] == "success"
