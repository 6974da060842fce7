"""The runs of many DAGs, looked at often: one small answer for each question."""

from __future__ import annotations

from snowmelt.errors import Missing
from snowmelt.hooks.dag_runs import DagRunsHook, ask


class FleetRunsHook(DagRunsHook):
    """Airflow as the one who runs the rollouts of all services."""

    def state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run that was there, "" when it has gone."""
        try:
            state = ask("get_dagrun_state", dag_id, run_id)
        except Missing:
            return ""
        return str(getattr(state, "value", state))

    def state_if_any(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run, "" when there is none.

        Asks first whether it is there: Airflow logs an error for each run that is not.
        """
        return self.state(dag_id, run_id) if self.exists(dag_id, run_id) else ""
