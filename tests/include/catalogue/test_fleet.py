"""What holds for the whole fleet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from include.catalogue import CatalogueError, service_names
from include.catalogue.fleet import Budgets, Fleet, load_fleet
from include.catalogue.loader import DEFAULT_FOLDER
from tests.plugins.snowmelt.kit import service


def test_the_file_that_comes_with_snowmelt_shows_the_defaults() -> None:
    assert load_fleet(DEFAULT_FOLDER.parent / "fleet.yaml") == Fleet()


def test_a_fleet_without_a_file_has_the_defaults(tmp_path: Path) -> None:
    assert load_fleet(tmp_path / "fleet.yaml") == Fleet()


def test_it_stands_above_the_services_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fleet.yaml").write_text("budgets: {services: 2}")
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path / "services"))

    assert load_fleet().budgets.services == 2
    assert service_names() == ()


def test_a_mistake_names_the_file_and_the_field(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text("budgets: {services: 0, failures: 101%}\nrotation: {strats: '01:00'}")

    with pytest.raises(CatalogueError) as caught:
        load_fleet(file)

    fields = {problem.field.split(".int")[0] for problem in caught.value.problems}
    assert {"budgets.services", "rotation.strats"} <= fields
    assert all(problem.file == file for problem in caught.value.problems)


def test_who_is_told_is_named_by_module_and_class(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text("notify: [{notifier: a.module.AClass}, {notifier: Smtp}, {notifer: a.b}]")

    with pytest.raises(CatalogueError) as caught:
        load_fleet(file)

    told = {problem.field: problem.fix for problem in caught.value.problems}
    assert told["notify.1.notifier"].startswith("write module and class, such as airflow.")
    assert told["notify.2.notifer"].startswith("unknown key")
    assert not [field for field in told if field.startswith("notify.0")]


@pytest.mark.parametrize(
    ("budget", "services", "allowed"),
    [(3, 250, 3), ("10%", 250, 25), ("1%", 5, 1), ("10%", 11, 2), ("100%", 4, 4)],
)
def test_the_failure_budget_is_a_count_or_a_share(
    budget: int | str, services: int, allowed: int
) -> None:
    assert Fleet(budgets=Budgets(failures=budget)).allowed_failures(services) == allowed


def test_a_service_that_says_nothing_gets_the_fleets_max_age() -> None:
    fleet = Fleet(max_age=timedelta(hours=30))

    assert fleet.max_age_of(service()) == timedelta(hours=30)
    assert fleet.max_age_of(service(max_age="12h")) == timedelta(hours=12)
    assert fleet.settled(service()).max_age == timedelta(hours=30)
    assert fleet.settled(service(max_age="12h")) == service(max_age="12h")


def test_the_day_is_that_of_the_fleets_time_zone() -> None:
    fleet = Fleet.model_validate({"rotation": {"time_zone": "Asia/Tokyo"}})

    assert fleet.today(datetime(2026, 11, 22, 14, 59, tzinfo=UTC)) == date(2026, 11, 22)
    assert fleet.today(datetime(2026, 11, 22, 15, 0, tzinfo=UTC)) == date(2026, 11, 23)
    assert fleet.day(datetime(2026, 11, 22, 15, 59, tzinfo=UTC)) == date(2026, 11, 22)
    assert fleet.day(datetime(2026, 11, 22, 16, 0, tzinfo=UTC)) == date(2026, 11, 23)


def test_the_morning_after_a_start_in_the_evening_is_of_the_same_night() -> None:
    """What failed in the night is tried again, not rebuilt with all others as a new day."""
    fleet = Fleet.model_validate({"rotation": {"starts": "23:30"}})

    days = [fleet.day(datetime(2026, 11, d, *t, tzinfo=UTC)).day for d, t in _NIGHT]
    assert days == [21, 22, 22, 22, 23]


_NIGHT = [(22, (23, 29)), (22, (23, 30)), (23, (0, 20)), (23, (8, 0)), (23, (23, 30))]


@pytest.mark.parametrize(
    ("now", "starts"), [((0, 59), (22, 1, 0)), ((1, 0), (23, 1, 0)), ((23, 0), (23, 1, 0))]
)
def test_the_next_start_is_after_now(now: tuple[int, int], starts: tuple[int, int, int]) -> None:
    """At a start it is that of the next day."""
    found = Fleet().next_start(datetime(2026, 11, 22, *now, tzinfo=UTC))

    assert found == datetime(2026, 11, *starts, tzinfo=UTC)
