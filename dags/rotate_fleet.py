"""Rebuild every VM of every service, every day, and prove it.

1. `plan` says whose turn it is today and when: a minute of its own for each service, inside its
   maintenance windows, outside its blackouts; and who is left out, why and until when.
2. `rotate` starts the rollout of each service, at the release that it has, as far as the budgets
   of `fleet.yaml` allow, and follows all of them. A deployment that somebody asks for goes first.
   When too many have failed it starts no more: old VMs serve on, and the run fails with the list.
3. `write_proof` writes down what was rebuilt and the evidence, signed and chained to the day
   before, and fails when a VM is older than its service allows.

Killed and started again on the same day it finds the runs that are there: nothing is rebuilt
twice. Services that failed are tried once more with `again=true`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from include.catalogue.fleet import load_fleet
from snowmelt.operators.fleet import RotateServices
from snowmelt.operators.fleet_plan import PlanRotation
from snowmelt.operators.fleet_proof import WriteProof
from snowmelt.params import DEFAULTS
from snowmelt.params_fleet import rotation_params
from snowmelt.tell import tell_failure

starts = load_fleet().rotation

with DAG(
    "rotate_fleet",
    params=rotation_params(),
    schedule=CronTriggerTimetable(
        f"{starts.starts.minute} {starts.starts.hour} * * *",
        timezone=starts.time_zone,
        run_immediately=timedelta(0),  # switched on, it waits for the next night
    ),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,  # a site begins with a dry run, and that needs it switched on
    default_args={**DEFAULTS, "owner": "snowmelt"},
    on_failure_callback=tell_failure,
    doc_md=__doc__,
    tags=["fleet"],
):
    plan = PlanRotation(task_id="plan")
    # it is taken up again for each service: with five tries any six passing errors end a day
    rotate = RotateServices(task_id="rotate", plan=plan.output, retries=1000)
    proof = WriteProof(task_id="write_proof", plan=plan.output, trigger_rule="all_done")
    rotate >> proof
