"""Doors for people with many services: pick one from a list, say what it needs, and follow it.

- `deploy_release`: bring a service to a release.
- `scale_service`: give it more or fewer VMs.
- `roll_back_release`: bring it back to the last release that was good.
- `retire_service`: take all of it out for good.
- `replace_vm`: replace one VM.

Each starts one run of `rollout_<service>`, which has the lock, the graph and the way back, and
ends as that ends: its log shows the plan, and its last line the reason of a failure. A run that is
retried, or cleared, finds the rollout that it started. After a failure, mend the cause, clear the
whole run of the rollout and then the task here; a new run of this DAG starts a new rollout.
docs/how-to/a-run-failed.md has more.
"""

from __future__ import annotations

from airflow.sdk import DAG, get_parsing_context

from include.catalogue.loader import service_names
from include.front_doors import FRONT_DOORS, FrontDoor
from snowmelt.operators.front_door import GoThrough
from snowmelt.params import DEFAULTS
from snowmelt.params_front_doors import front_door_params
from snowmelt.tell import tell_failure


def front_door(door: FrontDoor) -> DAG:
    """Wire one front door: a form, and one task."""
    with DAG(
        door.dag_id,
        description=door.does,
        params=front_door_params(door, service_names()),
        schedule=None,
        max_active_runs=100,  # the lock is the rollout's
        default_args={**DEFAULTS, "owner": "snowmelt"},
        on_failure_callback=tell_failure,
        is_paused_upon_creation=False,
        doc_md=f"{door.does}\n\n{__doc__}",
        tags=["front door"],
    ) as dag:
        GoThrough(task_id="follow_rollout", door=door.dag_id)
    return dag


wanted = get_parsing_context().dag_id
for name in FRONT_DOORS:
    if wanted in (None, name):
        globals()[name] = front_door(FRONT_DOORS[name])
