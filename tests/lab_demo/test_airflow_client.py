"""The client of Airflow's REST API against answers of its shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.airflow import connections
from lab.airflow.client import Airflow
from lab.airflow.rows import log_line, task_of

ROW = {
    "id": "0195-uuid", "task_id": "vm.create_vm", "map_index": 0, "state": "running",
    "rendered_map_index": "shop-a-0", "try_number": 1, "start_date": "2026-01-01T12:00:00Z",
    "end_date": None, "queued_when": None,
}  # fmt: skip

Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler) -> tuple[Airflow, list[str]]:
    """Return a client whose requests go to *handler*, and the list of them."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url.path}")
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t0ken"})
        return handler(request)

    airflow = Airflow("http://127.0.0.1:1", "admin", "pw")
    airflow.http = httpx.Client(
        base_url="http://127.0.0.1:1", transport=httpx.MockTransport(answer)
    )
    return airflow, seen


def test_a_task_in_a_mapped_group_carries_its_vm_and_its_step() -> None:
    task = task_of(ROW)

    assert (task.vm, task.step, task.state) == ("shop-a-0", "create_vm", "running")
    assert task.started is not None
    assert task.ended is None


@pytest.mark.parametrize("changed", [{"rendered_map_index": "0"}, {"rendered_map_index": None},
                                     {"map_index": -1, "rendered_map_index": "x"}])  # fmt: skip
def test_a_map_index_that_was_not_rendered_is_no_vm(changed: dict[str, Any]) -> None:
    assert task_of(ROW | changed).vm == ""


def test_an_expired_token_is_renewed() -> None:
    answers = iter([httpx.Response(401), httpx.Response(200, json={"state": "queued"})])
    airflow, seen = client(lambda request: next(answers))

    assert airflow.state("d", "r") == "queued"
    assert [line for line in seen if "token" in line] == ["POST /auth/token"] * 2


def test_a_read_outlives_a_restart_of_the_api_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.airflow.api.time.sleep", lambda _: None)
    away = iter([True, True, False])

    def answer(request: httpx.Request) -> httpx.Response:
        if next(away):
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json={"state": "running"})

    assert client(answer)[0].state("d", "r") == "running"


def test_a_refused_param_says_what_the_schema_wants() -> None:
    airflow, _ = client(lambda request: httpx.Response(400, text="release does not match"))

    with pytest.raises(httpx.HTTPStatusError) as caught:
        airflow.trigger("rollout_shop", release=7)

    assert caught.value.__notes__ == ["release does not match"]


def test_a_long_list_is_read_to_its_end() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        rows = [ROW | {"map_index": index} for index in range(offset, min(offset + 100, 230))]
        return httpx.Response(200, json={"task_instances": rows, "total_entries": 230})

    tasks = client(answer)[0].tasks("d", "r")

    assert [task.map_index for task in tasks] == list(range(230))


def test_a_log_line_shows_the_error_that_belongs_to_it() -> None:
    entry = {"event": "Task failed", "error_detail": [{"exc_type": "Missing", "exc_value": "no x"}]}

    assert log_line(entry) == "Task failed Missing: no x"
    assert log_line("plain") == "plain"


def test_connections_are_made_where_missing_and_renewed_where_known(tmp_path: Path) -> None:
    bodies: dict[str, Any] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200 if request.url.path.endswith("known") else 404, json={})
        bodies[request.method] = json.loads(request.content)
        return httpx.Response(200, json={})

    file = tmp_path / "connections.json"
    entry = {"conn_type": "icinga2", "host": "h", "port": 5665, "extra": {"ca_file": "/ca"}}
    file.write_text(json.dumps({"known": entry, "fresh": entry}))

    assert connections.bring(client(answer)[0], file) == ("known", "fresh")
    assert bodies["PATCH"]["connection_id"] == "known"
    assert bodies["POST"] == {
        "connection_id": "fresh", "conn_type": "icinga2", "host": "h", "port": 5665,
        "extra": '{"ca_file": "/ca"}',
    }  # fmt: skip


def test_without_a_file_there_are_no_connections(tmp_path: Path) -> None:
    airflow, seen = client(lambda request: httpx.Response(500))

    assert connections.bring(airflow, tmp_path / "none.json") == ()
    assert seen == []
