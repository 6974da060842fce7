"""Who is told of a failed run: no DAG is left out, and the documentation's example works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from include.catalogue.fleet import Fleet
from include.failure import FailedStep, Failure
from include.front_doors import FRONT_DOORS
from snowmelt.notifiers import send
from snowmelt.tell import tell_failure
from tests.dags.conftest import DAGS, Catalogue

pytestmark = pytest.mark.usefixtures("no_network")

PAGE = DAGS.parent / "docs/how-to/a-run-failed.md"
FAILURE = Failure(
    dag_id="rollout_shop",
    run_id="manual__1",
    service="shop",
    steps=[FailedStep(task_id="watch", why="errors > 2 %")],
    page="https://airflow/dags/rollout_shop/runs/manual__1",
)


def test_each_dag_tells_when_a_run_of_it_fails(catalogue: Catalogue) -> None:
    """The scheduler asks for the callback where the serialized DAG says that there is one."""
    catalogue("shop")
    dags = DagBag(str(DAGS)).dags

    assert set(dags) == {
        *("rollout_shop", "rotate_fleet", "audit_fleet", "clean_up", "refresh_image"),
        *("request_vm", "extend_request", "expire_requests", *FRONT_DOORS),
    }
    for dag in dags.values():
        assert dag.on_failure_callback == tell_failure, dag.dag_id
        assert DagSerialization.to_dict(dag)["dag"]["has_on_failure_callback"], dag.dag_id


def example() -> Fleet:
    """Return what the documentation shows."""
    text = PAGE.read_text().split("```yaml")[1].split("```")[0]
    return Fleet.model_validate(yaml.safe_load(text))


def test_the_notifiers_of_the_documentation_are_there_and_say_what_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As far as the last step, which would send."""
    sent: list[Any] = []
    for path in ("smtp.notifications.smtp.SmtpNotifier", "http.notifications.http.HttpNotifier"):
        monkeypatch.setattr(f"airflow.providers.{path}.notify", lambda self, _: sent.append(self))
    context: Any = {"dag": DAG("rollout_shop", schedule=None)}
    for each in example().notify:
        send(each, context, failure=FAILURE)

    mail, hook = sent
    assert mail.subject == "rollout_shop has failed: watch"
    assert "watch: errors &gt; 2 %" in mail.html_content
    assert hook.json["text"] == str(FAILURE)


def test_a_notifier_that_is_not_installed_is_told_before_the_first_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an import error of `catalogue.py`, which loads none of them."""
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path / "services"))
    (tmp_path / "services").mkdir()
    named = ["json.JSONEncoder", "json.tol.Encoder", "no.such.Thing"]
    notify = [{"notifier": each} for each in named]
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump({"notify": notify}))
    (told,) = DagBag(str(DAGS / "catalogue.py")).import_errors.values()

    assert "fleet.yaml: notify.1.notifier: no json.tol.Encoder: is its provider installed" in told
    assert "fleet.yaml: notify.2.notifier: no no.such.Thing" in told
    assert "notify.0" not in told
