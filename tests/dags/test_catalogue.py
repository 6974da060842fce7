"""A mistake in the catalogue shows in Airflow's UI, and takes no DAG of another service away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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


def test_a_day_that_does_not_exist_is_a_mistake_of_that_file_only(home: Path) -> None:
    """YAML reads an unquoted date, and stumbles over the 31st of June."""
    entry = service(name="shop").model_dump(mode="json")
    dark = "{begins: 2026-06-31, ends: 2026-07-02, reason: sale}"
    text = yaml.safe_dump({k: v for k, v in entry.items() if k != "maintenance"})
    (home / "services/shop.yaml").write_text(f"{text}maintenance: {{blackouts: [{dark}]}}")

    assert "2026-06-31: day is out of range for month" in told()
    assert set(DagBag(str(DAGS / "rollout.py")).dags) == {"rollout_wiki"}


def test_a_file_that_airflow_may_not_read_is_a_mistake_of_that_file_only(home: Path) -> None:
    """Tests run as root, who may read all: a folder stands for it."""
    (home / "services/shop.yaml").unlink()
    (home / "services/shop.yaml").mkdir()

    assert "shop.yaml: Is a directory: Airflow's account" in told()
    assert set(DagBag(str(DAGS / "rollout.py")).dags) == {"rollout_wiki"}


def test_a_catalogue_that_is_not_there_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or there is no DAG and nobody says why."""
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(home / "servises"))

    assert "servises: is no folder: SNOWMELT_CATALOGUE names that of the services" in told()


def test_a_file_that_nobody_reads_is_told(home: Path) -> None:
    (home / "services/web.yml").write_text("name: web")

    assert "services/web.yml: is not read: call it web.yaml" in told()


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


WEEKNIGHTS = {"days": ["mon", "tue", "wed", "thu"], "begins": "22:00", "ends": "04:00"}


def changed(home: Path, **changes: object) -> None:
    entry = service(name="shop", **changes).model_dump(mode="json", exclude_unset=True)
    (home / "services/shop.yaml").write_text(yaml.safe_dump(entry))


def test_windows_further_apart_than_the_age_of_a_vm_are_told(home: Path) -> None:
    """From Friday at 01:00 to Monday at 22:00 nothing opens: each Sunday's proof would fail."""
    changed(home, maintenance={"windows": [WEEKNIGHTS]})

    assert "shop.yaml: max_age: 26 h, and its turns are up to 9" in told()
    assert "shop.yaml: puppet.certificate_ttl: 72 h, and a VM may get 9" in told()


def test_windows_of_every_night_are_no_mistake_however_their_minutes_differ(home: Path) -> None:
    """At weekends the window is longer, so its turn may come some minutes later than on Friday."""
    nights = {"days": ["mon", "tue", "wed", "thu", "fri"], "begins": "01:00", "ends": "02:00"}
    weekend = {"days": ["sat", "sun"], "begins": "01:00", "ends": "05:00"}
    changed(home, max_age="24h", maintenance={"windows": [nights, weekend]})

    assert told() == ""


def test_an_age_that_no_daily_rotation_can_keep_is_told(home: Path) -> None:
    changed(home, max_age="12h")

    assert "shop.yaml: max_age: 12 h, and its turns are up to 24 h apart" in told()


def test_more_vms_than_a_rotation_may_replace_are_told(home: Path) -> None:
    """Each night would be refused; the service keeps its DAG, by which it can be mended."""
    changed(home, replicas=60)

    assert "shop.yaml: limits.retire: 50, and there are 60 replicas" in told()
    assert set(DagBag(str(DAGS / "rollout.py")).dags) == {"rollout_shop", "rollout_wiki"}


def test_a_long_blackout_needs_longer_certificates_and_no_other_age(home: Path) -> None:
    """In the proof it is an exception, but Puppet goes no further."""
    begins = datetime.now(UTC).date() + timedelta(days=3)
    dark = {"begins": f"{begins}", "ends": f"{begins + timedelta(days=7)}", "reason": "sale"}
    changed(home, maintenance={"blackouts": [dark]})

    errors = told()
    assert "shop.yaml: puppet.certificate_ttl: 72 h, and a VM may get 1" in errors
    assert "max_age" not in errors


def test_the_example_of_the_documentation_has_no_mistake(home: Path) -> None:
    """`docs/how-to/daily-rotation.md` shows it, with a year that goes by."""
    page = (DAGS.parent / "docs/how-to/daily-rotation.md").read_text()
    example = yaml.safe_load(page.split("```yaml")[1].split("```")[0])
    puppet = {**service().puppet.model_dump(exclude_unset=True), **example.pop("puppet")}
    changed(home, puppet=puppet, **example)

    assert told() == ""
