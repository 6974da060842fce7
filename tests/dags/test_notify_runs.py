"""Whole runs that fail: who is told, by a real dag-processor, as the scheduler would ask it to."""

from __future__ import annotations

import json
import selectors
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.callbacks.database_callback_sink import DatabaseCallbackSink
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag
from airflow.dag_processing.manager import DagFileProcessorManager
from airflow.models import DagRun, TaskInstance
from airflow.models.connection import Connection
from airflow.sdk import BaseHook, BaseNotifier
from airflow.sdk.execution_time.supervisor import in_process_api_server
from airflow.utils.session import create_session

import snowmelt.notify
from snowmelt.hooks.dag_runs import DagRunsHook
from tests.dags.conftest import DAGS
from tests.plugins.snowmelt.kit import OLD, service, serving
from tests.plugins.snowmelt.world import FakeWorld, Guest

# Airflow's own in-process API server warns of what is to come in its libraries
pytestmark = [
    pytest.mark.runs,
    pytest.mark.usefixtures("database"),
    pytest.mark.filterwarnings("ignore"),
]


class Written(BaseNotifier):
    """Writes what it was to say into a file, and the host of a Connection that it reads."""

    template_fields = ("text",)

    def __init__(self, file: str, text: str) -> None:
        super().__init__()
        self.file, self.text = file, text

    def notify(self, context: Any) -> None:
        host = BaseHook.get_connection("pager").host
        with Path(self.file).open("a") as opened:
            opened.write(json.dumps([host, self.text]) + "\n")


@pytest.fixture
def connection() -> Iterator[str]:
    """Return the host of a Connection that stands in Airflow's database."""
    made = Connection(conn_id="pager", conn_type="http", host="pager.example.org")
    with create_session() as session:
        session.add(made)
    yield "pager.example.org"
    with create_session() as session:
        session.delete(made)


@pytest.fixture
def told(tmp_path: Path, connection: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where a notifier writes what people are told."""
    (tmp_path / "told").touch()
    arguments = {"file": str(tmp_path / "told"), "text": "{{ failure }}"}
    named = {"notifier": f"{Written.__module__}.Written", "arguments": arguments}
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump({"notify": [named]}))
    (tmp_path / "services").mkdir()
    entry = service(replicas=1).model_dump(mode="json")
    (tmp_path / "services/shop.yaml").write_text(yaml.safe_dump(entry))
    monkeypatch.setenv("SNOWMELT_CATALOGUE", str(tmp_path / "services"))
    return tmp_path / "told"


@pytest.fixture
def run(world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DagRun]:
    """Return what runs a rollout of `shop`, and then the dag-processor with what is asked of it."""
    asked: list[dict[str, Any]] = []
    # `dag.test()` would call back in place, where Airflow answers nothing; a scheduler leaves it
    monkeypatch.setattr(DagRun, "execute_dag_callbacks", lambda *_, **how: asked.append(how))
    monkeypatch.setattr(snowmelt.notify, "DagRunsHook", DagRunsHook)

    def go(dag_id: str = "rollout_shop", file: str = "rollout.py", **params: Any) -> DagRun:
        dag = DagBag(str(DAGS / file)).dags[dag_id]
        for task in dag.tasks:
            task.retries = 0  # what they do is Airflow's business; here they would only take time
        with monkeypatch.context() as patched:
            patched.setattr(time, "sleep", lambda _: None)  # `dag.test()` sleeps, and finds nothing
            ended: DagRun = dag.test(run_conf=params)
        for how in asked:
            ask(ended.id, **how)
        process_callbacks()
        return ended

    return go


def ask(run: int, dag: Any, success: bool, relevant_ti: TaskInstance, reason: str) -> None:
    """Ask the dag-processor for a callback, in the words of the scheduler."""
    with create_session() as session:
        ended, ti = session.get(DagRun, run), session.get(TaskInstance, relevant_ti.id)
        assert ended
        request = ended.produce_dag_callback(dag, success, ti, reason)
    assert request
    DatabaseCallbackSink().send(request)


def process_callbacks() -> None:
    """Do what a dag-processor does about callbacks, without parsing all files before it."""
    manager = DagFileProcessorManager(max_runs=1)
    manager._api_server = in_process_api_server()  # the one that `dag.test()` has made
    manager.selector = selectors.DefaultSelector()
    manager._dag_bundles = list(DagBundlesManager().get_all_dag_bundles())
    for request in manager.fetch_callbacks():
        manager._add_callback_to_queue(request)
    while manager._file_queue or manager._processors:
        manager._start_new_processes()
        manager._service_processor_sockets()
        manager._collect_results()


def test_a_rollout_that_failed_is_told_once_with_service_step_and_reason(
    world: FakeWorld, run: Callable[..., DagRun], told: Path, connection: str
) -> None:
    """The dag-processor says which steps failed and why, and gives the notifier Connections."""
    serving(world, f"shop-{OLD}-0")
    world.guests["1.3"] = Guest(puppet="failed", failures=("Package[shop-app]: no candidate",))
    ended = run(release="1.3")

    assert ended.state == "failed"
    (line,) = told.read_text().splitlines()
    host, text = json.loads(line)
    assert host == connection
    title, of, step, *_ = text.split("\n")
    assert title == "rollout_shop has failed: canary.enrol_in_puppet[0]"
    assert of == f"Run {ended.run_id} of service shop"
    assert step.startswith("canary.enrol_in_puppet[0]: Puppet on shop-")
    assert step.endswith("Package[shop-app]: no candidate")


def test_a_run_whose_form_has_to_be_filled_in_is_told_too(
    run: Callable[..., DagRun], told: Path
) -> None:
    """Airflow makes its context from the form once more, in which nothing may be missing."""
    asked = {"image": "nope", "version": "1", "path": "/images/nope.qcow2"}
    ended = run("refresh_image", "refresh_image.py", **asked)

    assert ended.state == "failed"
    (line,) = told.read_text().splitlines()
    assert json.loads(line)[1].startswith("refresh_image has failed: plan\n")


def test_nobody_is_told_of_a_rollout_that_succeeds(
    world: FakeWorld, run: Callable[..., DagRun], told: Path
) -> None:
    serving(world, f"shop-{OLD}-0")

    assert run(release="1.1", dry_run=True).state == "success"
    assert told.read_text() == ""
