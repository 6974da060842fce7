"""Every hour: do all systems agree on what runs? Drift and orphans, across the whole fleet.

1. `audit` reads OpenNebula, the CA, PuppetDB, DNS, monitoring and the balancers once and prints
   what does not fit: traces of VMs that are gone, VMs that some system knows wrongly, VMs that
   were never released, that are there twice, or that died. Nothing is changed by this.
2. `brake` fails when much of the fleet is down at once: then a person says what goes on.
3. `repair`, with `repair=true`, looks again and mends what is safely ours: known for longer than
   `grace`, of a service of the catalogue, and no rollout of it under way. What other people made
   is never touched.
4. `heal`, with `repair=true`, looks again and starts a rollout of each service that still has a
   dead VM, as many as `budgets.services` allows. It replaces just what is broken. What one system
   refused to mend does not stop it.
5. `mended` does nothing: by it the run is red when `repair` or `heal` failed, or when a system did
   not answer, and the services that use it were left out.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG

from include.catalogue.loader import service_names
from snowmelt.operators.audit import AuditFleet, Brake, Mended
from snowmelt.operators.heal import HealFleet
from snowmelt.operators.repair import RepairFleet
from snowmelt.params import DEFAULTS
from snowmelt.params_audit import audit_params
from snowmelt.tell import tell_failure

with DAG(
    "audit_fleet",
    params=audit_params(service_names()),
    schedule="@hourly",
    start_date=datetime.fromisoformat("2026-01-01T00:00:00+00:00"),
    catchup=False,  # only now counts
    is_paused_upon_creation=False,  # it only looks, unless somebody asks for more
    max_active_runs=1,  # what it remembers has one writer
    dagrun_timeout=timedelta(minutes=50),  # or a later one would wait for a system that is down
    default_args=DEFAULTS,
    on_failure_callback=tell_failure,
    doc_md=__doc__,
    tags=["fleet"],
):
    audit = AuditFleet(task_id="audit")
    brake = Brake(task_id="brake", audit=audit.output)
    repair = RepairFleet(task_id="repair")
    # the success that it needs at least is the brake's: repair may fail, and the brake may not
    heal = HealFleet(task_id="heal", broken=brake.output, trigger_rule="all_done_min_one_success")
    mended = Mended(task_id="mended", audit=audit.output, trigger_rule="none_failed")
    brake >> repair >> mended
    [brake, repair] >> heal >> mended
