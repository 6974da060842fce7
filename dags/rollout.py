"""Move one service from what is seen to what is wanted, with no effect outside.

Deploy: `release=1.1`. Rotate: no parameters. Scale: `replicas=4, replace=none`. Roll back:
`release=<last good>`. Retire the service: `replicas=0`. One VM: `slots=[1]`. Look first:
`dry_run=true`.
"""

from __future__ import annotations

from airflow.sdk import DAG, get_parsing_context

from include.catalogue.loader import CatalogueError, load_service, service_names
from include.catalogue.model import Service
from snowmelt.params import DEFAULTS, rollout_params
from snowmelt.tell import tell_failure
from snowmelt.wiring import GRAPHS


def rollout(service: Service) -> DAG:
    """Wire the rollout of one service by its strategy."""
    graph = GRAPHS[service.strategy]
    with DAG(
        f"rollout_{service.name}",
        schedule=None,
        max_active_runs=1,  # the service's lock: a second run waits
        is_paused_upon_creation=False,  # a VM that was asked for comes without another click
        default_args={**DEFAULTS, "owner": service.owner},
        on_failure_callback=tell_failure,
        doc_md=f"{__doc__}\n{graph.__doc__}",
        tags=["rollout", service.name],
    ) as dag:
        graph.wire(service)
    # the form comes last: each task would begin with copies of it, and parsing take twice as long
    dag.params.update(rollout_params(service))
    return dag


# a task starts by parsing its own DAG only: with 500 services that is 3 ms, not 2.7 s
wanted = get_parsing_context().dag_id
for name in service_names():
    if wanted not in (None, f"rollout_{name}"):
        continue
    try:
        globals()[f"rollout_{name}"] = rollout(load_service(name))
    except CatalogueError:
        # an error here would take the DAGs of all services away; `catalogue.py` tells of it
        if wanted:
            raise
