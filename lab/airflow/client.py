"""Airflow as anybody with a password sees it: the REST API, version 2."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from lab.airflow.wait import until

ENDED = frozenset({"success", "failed"})
PAGE = 100  # the API gives at most this many rows at once
API_AWAY_S = 60.0  # a restarted api-server is back after about 15 s
ANSWER_S = 90.0  # an answer takes milliseconds, on a starved machine half a minute


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One task instance. `vm` is its rendered map index: the VM's name in a mapped group."""

    id: str  # the uuid that Airflow shows in the title of the task's process
    task_id: str
    map_index: int
    vm: str
    state: str | None
    try_number: int
    started: datetime | None
    ended: datetime | None
    queued: datetime | None

    @property
    def step(self) -> str:
        """The task's name without its groups."""
        return self.task_id.rpartition(".")[2]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def task_of(row: Mapping[str, Any]) -> Task:
    """Return the task instance in *row* of the API."""
    vm = row.get("rendered_map_index")
    return Task(
        id=row["id"],
        task_id=row["task_id"],
        map_index=row["map_index"],
        vm=vm if vm and row["map_index"] >= 0 and vm != str(row["map_index"]) else "",
        state=row["state"],
        try_number=row["try_number"],
        started=_moment(row["start_date"]),
        ended=_moment(row["end_date"]),
        queued=_moment(row["queued_when"]),
    )


class Airflow:
    """A client that logs in by itself. Reads survive a restart of the api-server."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self.user = user
        self._password = password
        self._http = httpx.Client(base_url=url, timeout=ANSWER_S, trust_env=False)

    def __enter__(self) -> Airflow:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def health(self) -> dict[str, Any]:
        """Return the state of each of Airflow's parts; needs no login."""
        answer = self._http.get("/api/v2/monitor/health", timeout=5)
        answer.raise_for_status()
        parts: dict[str, Any] = answer.json()
        return parts

    def log_in(self) -> None:
        """Get a token, which is valid for a day.

        Raises:
            httpx.HTTPStatusError: the password is wrong (401).
        """
        answer = self._http.post(
            "/auth/token", json={"username": self.user, "password": self._password}
        )
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, **params: Any) -> Any:
        """Return what the API says at *path* (below /api/v2), tried again while it is away."""
        deadline = time.monotonic() + API_AWAY_S
        while True:
            try:
                return self.send("GET", path, params=params)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def send(self, method: str, path: str, **options: Any) -> Any:
        """Send one request and return the answer's JSON, None when it is empty.

        Raises:
            httpx.HTTPStatusError: any answer but 2xx; its text is added as a note.
        """
        if "Authorization" not in self._http.headers:
            self.log_in()
        answer = self._http.request(method, f"/api/v2{path}", **options)
        if answer.status_code == 401:
            self.log_in()
            answer = self._http.request(method, f"/api/v2{path}", **options)
        try:
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            error.add_note(answer.text[:2000])
            raise
        return answer.json() if answer.content else None

    def pages(self, path: str, rows: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield all rows of a list, page by page."""
        seen = 0
        while True:
            page = self.get(path, limit=PAGE, offset=seen, **params)
            yield from page[rows]
            seen += len(page[rows])
            if not page[rows] or seen >= page["total_entries"]:
                return

    def exists(self, path: str) -> bool:
        """Return whether there is something at *path*."""
        try:
            self.get(path)
        except httpx.HTTPStatusError as error:
            if error.response.status_code == 404:
                return False
            raise
        return True

    def ensure_connection(self, body: Mapping[str, Any]) -> None:
        """Make or renew one Connection."""
        path = f"/connections/{body['connection_id']}"
        if self.exists(path):
            self.send("PATCH", path, json=body)
        else:
            self.send("POST", "/connections", json=body)

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Make one pool; one that is there keeps the slots that somebody gave it."""
        body = {"name": name, "slots": slots, "description": description}
        if not self.exists(f"/pools/{name}"):
            self.send("POST", "/pools", json={**body, "include_deferred": False})

    def test_connection(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the test button of a Connection's form says: `status` and `message`."""
        result: dict[str, Any] = self.send("POST", "/connections/test", json=body)
        return result

    def import_errors(self) -> dict[str, str]:
        """Return the DAG files that do not parse, with the traceback."""
        rows = self.pages("/importErrors", "import_errors")
        return {row["filename"]: row["stack_trace"] for row in rows}

    def wait_for_dag(self, dag_id: str, seconds: float = 90) -> None:
        """Return as soon as the DAG can be triggered.

        Raises:
            TimeoutError: it was not found; import errors are added as a note.
        """
        try:
            until(lambda: self._ready(dag_id), seconds, f"the DAG {dag_id} is parsed", every=0.5)
        except TimeoutError as error:
            for file, trace in self.import_errors().items():
                error.add_note(f"{file}: {trace}")
            raise

    def _ready(self, dag_id: str) -> bool:
        return self.exists(f"/dags/{dag_id}") and not self.get(f"/dags/{dag_id}")["is_stale"]

    def trigger(self, dag_id: str, **params: Any) -> str:
        """Start a run with *params* and return its run id.

        Raises:
            httpx.HTTPStatusError: 400 when a param does not fit the DAG's schema.
        """
        body = {"logical_date": None, "conf": params}
        run_id: str = self.send("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"]
        return run_id

    def clear(self, dag_id: str, run_id: str, task_id: str = "") -> None:
        """Let a run begin anew, or one task of it alone, whatever became of them."""
        how = {"dry_run": False, "only_failed": False}
        if task_id:
            one = {"dag_run_id": run_id, "task_ids": [task_id], "reset_dag_runs": True}
            self.send("POST", f"/dags/{dag_id}/clearTaskInstances", json={**how, **one})
        else:
            self.send("POST", f"/dags/{dag_id}/dagRuns/{run_id}/clear", json=how)

    def mark_failed(self, dag_id: str, run_id: str, task: Task) -> None:
        """Let one task instance count as failed, as a person does in the UI."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}"
        mapped = f"/{task.map_index}" if task.map_index >= 0 else ""
        self.send("PATCH", f"{path}{mapped}", json={"new_state": "failed"})

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return the run as the API shows it: `state`, `start_date`, `end_date`, `conf`…"""
        found: dict[str, Any] = self.get(f"/dags/{dag_id}/dagRuns/{run_id}")
        return found

    def state(self, dag_id: str, run_id: str) -> str:
        """Return queued, running, success or failed."""
        return str(self.run(dag_id, run_id)["state"])

    def wait_for_run(self, dag_id: str, run_id: str, seconds: float = 300) -> str:
        """Return the state in which the run ended.

        Raises:
            TimeoutError: it still runs after *seconds*.
        """
        ended = lambda: self.state(dag_id, run_id) in ENDED  # noqa: E731
        until(ended, seconds, f"{run_id} of {dag_id} ends", every=1)
        return self.state(dag_id, run_id)

    def tasks(self, dag_id: str, run_id: str) -> list[Task]:
        """Return all task instances of a run, as they are now."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        return [task_of(row) for row in self.pages(path, "task_instances")]

    def log(self, dag_id: str, run_id: str, task: Task, try_number: int | None = None) -> list[str]:
        """Return the lines that a try of a task has logged; the last try without *try_number*."""
        number = try_number or max(task.try_number, 1)
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/{number}"
        answer = self.get(path, map_index=task.map_index, full_content="true")
        return [log_line(entry) for entry in answer["content"]]

    def xcom(self, dag_id: str, run_id: str, task: Task, key: str = "return_value") -> Any:
        """Return what a task has left under *key*."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/xcomEntries/{key}"
        return self.get(path, map_index=task.map_index, deserialize="true")["value"]


def log_line(entry: str | Mapping[str, Any]) -> str:
    """Return one entry of a task's log as text, with the error that belongs to it."""
    if isinstance(entry, str):
        return entry
    details = entry.get("error_detail") or ()
    errors = [f"{part.get('exc_type')}: {part.get('exc_value')}" for part in details]
    return " ".join([str(entry.get("event", "")), *errors]).strip()
