"""Every day: nothing grows. docs/how-to/state.md says what each system keeps, and for how long.

- `clean_tables`, `clean_logs`: Airflow's own runs, XComs and logs.
- `clean_certificates`: expired certificates of VMs that are gone.
- `check_revocation_lists`: fails when one has grown or is about to run out.
- `check_puppetdb`: fails when PuppetDB keeps nodes or reports that it should have removed.
- `clean_images`: superseded images that no VM uses any more.

The tasks do not wait for each other: where one fails, the others still do their part.
"""

from __future__ import annotations

from airflow.sdk import DAG

from snowmelt.operators.clean_airflow import CleanLogs, CleanTables
from snowmelt.operators.clean_up import (
    CheckPuppetDb,
    CheckRevocationLists,
    CleanAllImages,
    CleanCertificates,
)
from snowmelt.params import DEFAULTS
from snowmelt.params_clean_up import clean_up_params
from snowmelt.tell import tell_failure

with DAG(
    "clean_up",
    params=clean_up_params(),
    schedule="23 4 * * *",
    is_paused_upon_creation=True,  # a site begins when it has made snowmelt_airflow_db
    max_active_runs=1,
    catchup=False,
    default_args=DEFAULTS,
    on_failure_callback=tell_failure,
    doc_md=__doc__,
    tags=["state"],
) as dag:
    CleanTables(task_id="clean_tables")
    CleanLogs(task_id="clean_logs")
    CleanCertificates(task_id="clean_certificates")
    CheckRevocationLists(task_id="check_revocation_lists")
    CheckPuppetDb(task_id="check_puppetdb")
    CleanAllImages(task_id="clean_images")
