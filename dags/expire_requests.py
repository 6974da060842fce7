"""The end of what somebody asked for with `request_vm`.

`expire_requests` reminds its owner before the end, and then retires it: VM, certificate, names,
monitoring and the entry itself; started by hand it ends one at once. OpenNebula knows the end
too, and terminates the VM ten minutes after it where nobody else did. What that leaves in other
systems goes with the next run here.

Reminders are tasks of their own: one that cannot be sent is tried again by the next run, and keeps
nothing alive. What is being rolled out at the moment is retired by a later run.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG

from include.catalogue.loader import requested_names
from snowmelt.operators.expiry import FindReminders, RemindOwner, RetireRequest, ReviewRequests
from snowmelt.params import DEFAULTS
from snowmelt.params_request import end_params
from snowmelt.tell import tell_failure

with DAG(
    "expire_requests",
    description="Remind of what ends soon, retire what has ended.",
    params=end_params(requested_names()),
    schedule="*/5 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={**DEFAULTS, "owner": "snowmelt"},
    on_failure_callback=tell_failure,
    is_paused_upon_creation=False,
    doc_md=__doc__,
    tags=["front door", "requests"],
):
    review = ReviewRequests(task_id="review_requests")
    RetireRequest.partial(task_id="retire_request").expand(service=review.output)
    reminders = FindReminders(task_id="find_reminders")
    RemindOwner.partial(task_id="remind_owner", retries=0).expand(service=reminders.output)
    review >> reminders
