"""The DAG of the daily rotation."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from snowmelt.why import say_why
from tests.dags.conftest import DAGS, Catalogue

FILE = DAGS / "rotate_fleet.py"
pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of `fleet.yaml`, above that of the services."""
    (tmp_path / "services").mkdir()
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path / "services"))
    return tmp_path


def parsed() -> DAG:
    bag = DagBag(str(FILE))
    assert not bag.import_errors
    return bag.dags["rotate_fleet"]


def test_it_has_three_tasks_however_many_services_there_are(catalogue: Catalogue) -> None:
    catalogue(*(f"s{n}" for n in range(50)))

    assert parsed().task_ids == ["plan", "rotate", "write_proof"]


def test_a_day_has_a_try_for_each_service() -> None:
    """It is taken up again at each start, 250 times for as many services."""
    assert (parsed().get_task("rotate").retries or 0) >= 250


def test_the_proof_is_written_whatever_came_before_and_decides_the_run() -> None:
    dag = parsed()

    assert dag.get_task("write_proof").trigger_rule == "all_done"
    assert [task.task_id for task in dag.leaves] == ["write_proof"]


def test_it_runs_daily_at_the_time_of_the_fleet(home: Path) -> None:
    (home / "fleet.yaml").write_text("rotation: {starts: '23:30', time_zone: Europe/Berlin}")
    dag = parsed()
    table: Any = dag.timetable

    assert table.expression == "30 23 * * *"
    assert str(table.timezone) == "Europe/Berlin"
    assert dag.max_active_runs == 1
    assert dag.catchup is False


def test_a_site_switches_it_on_by_itself() -> None:
    """Else it would begin to rebuild the fleet on the day of its installation."""
    dag = parsed()
    table: Any = dag.timetable

    assert dag.is_paused_upon_creation is True
    assert table.run_immediately == timedelta(0)  # False would mean: up to 2.4 h late is fine


def test_a_mistake_in_the_fleets_file_names_the_file(home: Path) -> None:
    (home / "fleet.yaml").write_text("budgets: {services: none}")

    errors = "".join(DagBag(str(FILE)).import_errors.values())
    assert "fleet.yaml: budgets.services" in errors


def test_a_mistake_in_a_services_file_does_not_stop_the_fleet(home: Path) -> None:
    (home / "services/broken.yaml").write_text("name: [")

    assert parsed()


def test_every_task_says_in_its_last_line_why_it_failed() -> None:
    for task in parsed().tasks:
        assert task.on_failure_callback in (say_why, [say_why])
        assert task.owner == "snowmelt"


def test_the_form_takes_services_of_the_catalogue_only(catalogue: Catalogue) -> None:
    catalogue("shop")
    params = deepcopy(parsed().params)
    params.update({"services": ["shop"], "again": True, "day": "2026-11-24"})
    assert params.validate()["services"] == ["shop"]

    for wrong in (
        {"services": ["nope"]},
        {"day": "today"},
        {"day": "2026-11-24\n"},
        {"at_once": 0},
    ):
        params = deepcopy(parsed().params)
        with pytest.raises(ParamValidationError):
            params.update(wrong)
