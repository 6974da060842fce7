"""Airflow as anybody with a password sees it: what the REST API can do, by its verbs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.airflow.api import Api
from lab.airflow.rows import Task, log_line, task_of
from lab.airflow.wait import until

ENDED = frozenset({"success", "failed"})


class Airflow(Api):
    """The verbs of the REST API that the lab, its demo and its tests need."""

    def health(self) -> dict[str, Any]:
        """Return the state of each of Airflow's parts; needs no login."""
        answer = self.http.get("/api/v2/monitor/health", timeout=5)
        answer.raise_for_status()
        parts: dict[str, Any] = answer.json()
        return parts

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
