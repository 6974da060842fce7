"""The form of `clean_up`: how long things are kept, and how much is too much."""

from __future__ import annotations

from airflow.sdk import Param


def clean_up_params() -> dict[str, Param]:
    """Return the parameters in the order of the form."""
    return {
        "keep_runs_days": _days(30, "Days of runs", "Airflow's runs, tasks, XComs and audit log."),
        "keep_logs_days": _days(30, "Days of logs", "Log files of tasks and of the processor."),
        "keep_reports_days": _days(
            16,
            "Days of PuppetDB",
            "Two more than node-purge-ttl and report-ttl say (reports go by whole days): what is"
            " older fails the run.",
        ),
        "max_revoked": Param(
            5000,
            type="integer",
            minimum=1,
            title="Revoked certificates",
            description="More entries than this in a revocation list fail the run.",
        ),
        "min_days_of_list": _days(
            30, "Days left of the list", "A revocation list that runs out sooner fails the run."
        ),
        "airflow_db": Param(
            "snowmelt_airflow_db",
            type="string",
            title="Airflow's database",
            description="Id of the Airflow Connection that names it.",
        ),
    }


def _days(default: int, title: str, description: str) -> Param:
    return Param(default, type="integer", minimum=1, title=title, description=description)
