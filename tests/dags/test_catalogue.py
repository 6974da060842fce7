"""A mistake in the catalogue shows in Airflow's UI, and takes no DAG of another service away."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag

from tests.dags.conftest import DAGS
from tests.plugins.snowmelt.kit import service

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of `fleet.yaml`, above those of two good services."""
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path / "services"))
    (tmp_path / "services").mkdir()
    for name in ("shop", "wiki"):
        entry = service(name=name).model_dump(mode="json")
        (tmp_path / "services" / f"{name}.yaml").write_text(yaml.safe_dump(entry))
    return tmp_path


def told() -> str:
    """Return what the UI shows as the import error of the file that makes no DAG."""
    bag = DagBag(str(DAGS / "catalogue.py"))
    assert bag.dags == {}
    return "".join(bag.import_errors.values())


def test_a_good_catalogue_has_nothing_to_tell(home: Path) -> None:
    """No import error, and no DAG."""
    assert told() == ""


def test_mistakes_of_all_files_are_told_with_field_and_fix(home: Path) -> None:
    """Whoever mends one should not have to wait for the next."""
    (home / "services/a.yaml").write_text("name: a\nreplica: 2")
    (home / "services/b.yaml").write_text("name: [")
    (home / "fleet.yaml").write_text("budgets: {services: none}")

    errors = told()
    assert "a.yaml: replica: unknown key" in errors
    assert "b.yaml: line" in errors
    assert "fleet.yaml: budgets.services" in errors


def test_one_wrong_file_takes_no_dag_of_another_service_away(home: Path) -> None:
    """Airflow drops all DAGs of a file that raises, and with them rollouts that are running."""
    (home / "services/shop.yaml").write_text("name: shop\nreplica: 2")
    bag = DagBag(str(DAGS / "rollout.py"))

    assert (set(bag.dags), bag.import_errors) == ({"rollout_wiki"}, {})


def test_a_task_of_the_service_with_the_mistake_says_what_it_is(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the one that cannot go on."""
    (home / "services/shop.yaml").write_text("name: shop\nreplica: 2")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "rollout_shop")
    bag = DagBag(str(DAGS / "rollout.py"))

    assert "shop.yaml: replica: unknown key" in "".join(bag.import_errors.values())


def test_a_byte_that_is_no_text_is_a_mistake_of_that_file_only(home: Path) -> None:
    """An editor that saves in another encoding stops nobody else."""
    (home / "services/shop.yaml").write_bytes("name: shop\nowner: Jörg".encode("latin-1"))

    assert "shop.yaml: " in told()
    assert set(DagBag(str(DAGS / "rollout.py")).dags) == {"rollout_wiki"}


def test_a_template_where_yaml_was_meant_is_a_mistake_of_that_file_only(home: Path) -> None:
    """`{{ name }}` is a mapping whose key is a mapping."""
    (home / "services/shop.yaml").write_text("name: {{ name }}")

    assert "shop.yaml: line 1" in told()
    assert set(DagBag(str(DAGS / "rollout.py")).dags) == {"rollout_wiki"}


def test_an_exception_for_a_service_that_is_not_there_is_told_while_it_holds(home: Path) -> None:
    """Misspelt, it would protect nobody."""
    entry = {"service": "shpo", "reason": "closing", "owner": "finance"}
    held, over = ({**entry, "expires": day} for day in ("2999-01-01", "2020-01-01"))
    (home / "fleet.yaml").write_text(yaml.safe_dump({"exceptions": [over, held]}))

    errors = told()
    assert "exceptions.1.service: no service is called shpo: is shop meant?" in errors
    assert "exceptions.0" not in errors


def test_a_window_that_no_rotation_meets_is_told(home: Path) -> None:
    """Its service would get old in silence; a blackout alone is no mistake."""
    dark = {"begins": "2020-01-01", "ends": "2999-01-01", "reason": "sale"}
    for name, begins in (("shop", "00:10"), ("wiki", "21:30")):
        maintenance = {"windows": [{"begins": begins, "ends": "00:30"}], "blackouts": [dark]}
        entry = service(name=name, maintenance=maintenance).model_dump(mode="json")
        (home / f"services/{name}.yaml").write_text(yaml.safe_dump(entry))

    errors = told()
    assert "shop.yaml: maintenance.windows: no rotation meets them: it starts at 01:00" in errors
    assert "wiki.yaml" not in errors
