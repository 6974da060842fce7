"""Bring in a new version of an image, try it, and let the VM templates point at it.

Form: the image as the VM templates know it (`debian-12`), a version (`20261124`), and where it
comes from: a path or URL, or a marketplace app. It becomes the image `debian-12-20261124`.
Look first: `dry_run=true`.

1. `plan` says which VM templates follow, and which service tries it for each of them.
2. `import_image` lets OpenNebula bring it in, and waits until it is READY.
3. `trial`, one for each template: a VM of that service is made from the new image and gets its
   name and certificate, Puppet finishes on it, and it is removed whole, however it went.
4. `point_templates`: every VM made from now on has the new image, so the next rotation carries it
   to all of them.
5. `clean_images` removes older versions that no VM uses any more. Those in use stay until a later
   run, or `clean_up`, finds them free.

A failure before step 4 is over makes `undo` remove the new image; the old one stays in use.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task_group

from snowmelt.operators.enrolment import EnrolInPuppet
from snowmelt.operators.image import ImportImage, PointTemplates
from snowmelt.operators.image_clean import CleanImages
from snowmelt.operators.image_plan import PlanRefresh
from snowmelt.operators.image_undo import UndoRefresh
from snowmelt.operators.names import PublishDns
from snowmelt.operators.sweep import ClearLeftovers
from snowmelt.operators.trial import CreateTrialVm, RetireTrial
from snowmelt.params import DEFAULTS
from snowmelt.params_image import refresh_params
from snowmelt.tell import tell_failure

with DAG(
    "refresh_image",
    params=refresh_params(),
    schedule=None,
    max_active_runs=1,
    is_paused_upon_creation=False,  # it begins with a form
    default_args=DEFAULTS,
    on_failure_callback=tell_failure,
    doc_md=__doc__,
    tags=["image"],
) as dag:
    plan = PlanRefresh(task_id="plan")
    refresh: Any = plan.output
    bring_in = ImportImage(task_id="import_image", refresh=refresh, retries=1)
    point = PointTemplates(task_id="point_templates", refresh=refresh, trigger_rule="none_failed")
    clean = CleanImages(task_id="clean_images", refresh=refresh, trigger_rule="none_failed")
    undo = UndoRefresh(task_id="undo", refresh=refresh, trigger_rule="all_done")

    @task_group
    def trial(run: Any, vm: Any) -> None:
        """Wire the trial of one VM template."""
        clear = ClearLeftovers(task_id="clear_leftovers", rollout=run)
        create = CreateTrialVm(task_id="create_vm", rollout=run, vm=vm)
        names = PublishDns(task_id="publish_dns", rollout=run, vm=vm, made=create.output)
        enrol = EnrolInPuppet(task_id="enrol_in_puppet", rollout=run, vm=vm)
        retire = RetireTrial(task_id="retire_trial", rollout=run, trigger_rule="all_done")
        clear >> create >> names >> enrol >> retire
        [enrol, retire] >> point
        [enrol, retire] >> undo

    trial.expand_kwargs(bring_in.output)
    [bring_in, point] >> undo
    point >> clean
