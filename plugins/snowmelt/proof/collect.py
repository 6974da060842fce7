"""Collect a rollout's evidence on the way: what is gone by the time when it ends."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from include.catalogue import Service
from include.facts import Member
from include.planner import Facts, NewVm, OldVm, Plan
from include.proof import Run, compare
from include.proof.differences import INVENTORY, SAME
from include.proof.evidence import Seen, evidence, made_by
from snowmelt.catalogue import settled_fleet
from snowmelt.errors import SnowmeltError
from snowmelt.hooks.puppetdb import PuppetDbHook
from snowmelt.look import look_at_pool
from snowmelt.proof.store import Store

log = logging.getLogger(__name__)


def of_old_vm(
    service: Service, plan: Plan, name: str, before: Mapping[str, Mapping[str, int] | int]
) -> dict[str, Any]:
    """Return what only the old VM can tell, in the last step before it is retired.

    *before* has what each member had counted when the rollout was planned.
    """
    old = next(vm for vm in plan.old if vm.name == name)
    new = next((vm for vm in plan.new if vm.slot == old.slot), None)
    told: dict[str, Any] = {"name": name, "left": None}
    if new and (found := _differences(service, new, old)) is not None:
        told["differences"] = {new.name: found}
    now = next((m for m in look_at_pool(service) if m.name == name), None)
    if now and name in before:
        told |= _failures(before[name], now)
    return told


def _failures(before: Mapping[str, int] | int, now: Member) -> dict[str, Any]:
    """Return the errors since then; a balancer that was restarted meanwhile counts from 0 again."""
    if isinstance(before, int):  # as plans had it until requests were counted too
        before = {"errors": before, "requests": 0}
    if now.errors < before["errors"] or now.requests < before["requests"]:
        log.warning("%s: the balancer counts anew, client failures are not known", now.name)
        return {"restarted": True}
    return {"failures": now.errors - before["errors"]}


def _differences(service: Service, new: NewVm, old: OldVm) -> list[str] | None:
    """Return in what the two differ, None when nobody can say.

    It must not stop a rollout that PuppetDB has no answer just now.
    """
    try:
        hook = PuppetDbHook(service.connections.puppetdb)
        facts = hook.facts([old.fqdn, new.fqdn], (INVENTORY, *SAME))
    except SnowmeltError as error:
        log.warning("%s and %s are not compared: %s", new.name, old.name, error)
        return None
    if not (old.fqdn in facts and new.fqdn in facts):
        return None
    if facts[old.fqdn].get(INVENTORY) is None or not _configured(service, facts[new.fqdn]):
        log.warning(
            "%s and %s have not both told what is installed: not compared", old.name, new.name
        )
        return None
    found = [str(each) for each in compare(facts[old.fqdn], facts[new.fqdn])]
    for each in found:
        log.warning("%s differs from %s: %s", new.name, old.name, each)
    return found


def _configured(service: Service, facts: Mapping[str, Any]) -> bool:
    """Whether a VM's inventory is from after its first Puppet run, which installs its release."""
    return service.package.name in (facts.get(INVENTORY) or {}).get("packages", {})


def write_evidence(
    run: Run, service: Service, plan: Plan, *, facts: Facts, told: Sequence[Mapping[str, Any]]
) -> None:
    """Write what is known of each VM that the rollout made, where the daily proof finds it.

    *told* is what the old VMs could tell. What an earlier try has written of VMs that this one
    keeps stays as it is: their old VMs tell nothing any more.
    """
    if not (mine := made_by(plan)):
        return
    reports = PuppetDbHook(service.connections.puppetdb).last_reports([v.fqdn for v in mine])
    made = evidence(
        service,
        plan,
        run,
        facts=facts,
        reports=reports,
        seen=Seen.of(_countable(told)),
        now=datetime.now(UTC),
    )
    store, file = Store(settled_fleet().proof.store), evidence_file(service.name, plan.rollout)
    before = _before(store.read(file), plan)
    vms = [before.get(vm.name) or vm.model_dump(mode="json") for vm in made]
    data = {"release": plan.release, "vms": vms}
    store.write(file, json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False))


def _before(text: str | None, plan: Plan) -> dict[str, Any]:
    """Return what an earlier try has written of VMs that are kept; nothing if it is spoilt."""
    kept = {(vm.name, vm.vm_id) for vm in plan.kept}
    try:
        vms = json.loads(text)["vms"] if text else []
        return {vm["name"]: vm for vm in vms if (vm["name"], vm["vm_id"]) in kept}
    except (ValueError, KeyError, TypeError):
        return {}


def _countable(told: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return what was told, without failures where one saw a restart: new VMs count anew too."""
    if not any(each.get("restarted") for each in told):
        return told
    return [{key: each[key] for key in each if key != "failures"} for each in told]


def told_by(ti: Any, task_ids: Iterable[str]) -> list[Mapping[str, Any]]:
    """Return what mapped tasks returned; Airflow gives one value as it is, and many as a list."""
    told: list[Mapping[str, Any]] = []
    for task_id in task_ids:
        pulled = ti.xcom_pull(task_ids=task_id)
        told += [each for each in (pulled if isinstance(pulled, list) else [pulled]) if each]
    return told


def evidence_file(service: str, rollout: str) -> str:
    """Return the name of the evidence of one rollout in the store."""
    return f"evidence/{service}/{rollout}.json"
