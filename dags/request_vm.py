"""One VM for one person, without a ticket.

`request_vm` makes a service of one replica that expires: it gets its names, its certificate, its
monitoring and its daily rotation like every other, by `rollout_<name>`, and it gets an end.
`extend_request` gives it a new one.

`expire_requests` reminds its owner before the end, and then retires it: VM, certificate, names,
monitoring and the entry itself; started by hand it ends one at once. OpenNebula knows the end
too, and terminates the VM ten minutes after it where nobody else did. What that leaves in other
systems goes with the next run here.

What may be asked for is in `requests.yaml`, above the services. The entries are in the folder
SNOWMELT_REQUESTS, which all parts of Airflow have to share.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG

from include.catalogue.loader import requested_names
from include.catalogue.requests import load_policy
from snowmelt.operators.request import ExtendRequest, RequestVm, RetireRequest, ReviewRequests
from snowmelt.params import DEFAULTS
from snowmelt.params_request import end_params, extension_params, request_params

COMMON: dict[str, Any] = {
    "default_args": {**DEFAULTS, "owner": "snowmelt"},
    "is_paused_upon_creation": False,
    "doc_md": __doc__,
    "tags": ["front door", "requests"],
}
policy = load_policy()

with DAG(
    "request_vm",
    description="Ask for one VM, for some days.",
    params=request_params(policy),
    schedule=None,
    max_active_runs=100,
    **COMMON,
):
    RequestVm(task_id="request_vm")

with DAG(
    "extend_request",
    description="Keep a VM that somebody asked for longer.",
    params=extension_params(policy, requested_names()),
    schedule=None,
    max_active_runs=100,
    **COMMON,
):
    ExtendRequest(task_id="extend_request")

with DAG(
    "expire_requests",
    description="Remind of what ends soon, retire what has ended.",
    params=end_params(requested_names()),
    schedule="*/5 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    **COMMON,
):
    review = ReviewRequests(task_id="review_requests")
    RetireRequest.partial(task_id="retire_request").expand(service=review.output)
