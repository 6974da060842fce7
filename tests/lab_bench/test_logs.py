"""The logs of a bench that failed outlive its world."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.airflow.place import Place
from lab.bench.logs import kept


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(
        state=tmp_path / "state",
        cache=tmp_path / "cache",
        netns="bench",
        checkout=tmp_path,
        dags="dags",
    )
    task = place.home / "logs" / "dag_id=rotate_fleet" / "attempt=1.log"
    task.parent.mkdir(parents=True)
    task.write_text("five tries were used up")
    (place.home / "logs" / "latest").symlink_to(task.parent)
    place.logs.mkdir()
    (place.logs / "scheduler.log").write_text("a worker was lost")
    return place


def test_what_failed_can_be_read_up_afterwards(place: Place, tmp_path: Path) -> None:
    errors: dict[str, str] = {}

    with kept(place, tmp_path / "kept", failed=lambda: errors):
        errors["rotation"] = "RuntimeError: bench125 was not rotated"

    task = tmp_path / "kept" / "tasks" / "dag_id=rotate_fleet" / "attempt=1.log"
    assert task.read_text() == "five tries were used up"
    process = tmp_path / "kept" / "processes" / "scheduler.log"
    assert process.read_text() == "a worker was lost"


def test_a_bench_that_is_ended_leaves_its_logs_too(place: Place, tmp_path: Path) -> None:
    with (
        pytest.raises(SystemExit),
        kept(place, tmp_path / "kept", failed=lambda: False),
    ):
        raise SystemExit("ended")

    assert (tmp_path / "kept" / "tasks" / "dag_id=rotate_fleet").is_dir()


def test_a_bench_that_went_well_leaves_none_and_no_old_ones(place: Place, tmp_path: Path) -> None:
    old = tmp_path / "kept" / "processes" / "scheduler.log"
    old.parent.mkdir(parents=True)
    old.write_text("of another run")

    with kept(place, tmp_path / "kept", failed=lambda: False):
        pass

    assert not (tmp_path / "kept").exists()
