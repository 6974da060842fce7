"""One VM for one person, without a ticket.

`request_vm` makes a service of one replica that expires: it gets its names, its certificate, its
monitoring and its daily rotation like every other, by `rollout_<name>`, and it gets an end.
`extend_request` gives it a new one, and `expire_requests` takes it back.

What may be asked for is in `requests.yaml`, above the services. The entries are in the folder
SNOWMELT_REQUESTS, which all parts of Airflow have to share.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG

from include.catalogue.loader import requested_names
from include.catalogue.requests import load_policy
from snowmelt.operators.request import ExtendRequest, RequestVm
from snowmelt.params import DEFAULTS
from snowmelt.params_request import extension_params, request_params
from snowmelt.tell import tell_failure

COMMON: dict[str, Any] = {
    "default_args": {**DEFAULTS, "owner": "snowmelt"},
    "on_failure_callback": tell_failure,
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
