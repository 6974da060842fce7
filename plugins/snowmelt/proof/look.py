"""Look at what a day's rotation has come to: runs, VMs, and the evidence that they left."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from pydantic import ValidationError

from include.catalogue import Service
from include.facts import CloudVm
from include.fleet import RotationPlan
from include.front_doors import rollout_dag, why_failed
from include.planner import Facts, SeenVm, parse_name, see
from include.planner.names import SERVICE_MARK
from include.proof import VmProof
from include.proof.findings import FailedRollout, Findings, Try
from snowmelt.catalogue import users_of
from snowmelt.errors import Refused, SnowmeltError
from snowmelt.hooks.fleet_runs import FleetRunsHook
from snowmelt.hooks.opennebula import OpenNebulaHook
from snowmelt.proof.collect import evidence_file
from snowmelt.proof.store import Store
from snowmelt.rotation_look import tries
from snowmelt.why import WHY


def findings(
    plan: RotationPlan,
    services: Mapping[str, Service],
    *,
    held: Mapping[str, str],
    broken: Mapping[str, str],
    store: Store,
    patient: bool,
) -> Findings:
    """Return what was found: one look for each OpenNebula, one question for each run.

    *patient*: there is another try, so an OpenNebula that does not answer now is an error. Else the
    VMs on it are missing from the proof, which says so, and has those of all other services.
    """
    lost = {each.service for each in plan.all_services} - services.keys() - broken.keys()
    clouds = {turn.cloud for turn in (*plan.turns, *plan.others)}
    vms, unseen = _vms(services, clouds, lost, patient=patient)
    evidence = _evidence(vms, store)
    bare = [name for name, seen in vms.items() if any(vm.name not in evidence for vm in seen)]
    return Findings(
        tries={each.service: _tries(plan.day, each.service) for each in plan.all_services},
        held=held,
        unknown={**broken, **unseen},
        vms=vms,
        evidence=evidence,
        busy=[name for name in bare if FleetRunsHook().under_way(rollout_dag(name))],
    )


def _tries(day: str, service: str) -> list[Try]:
    dag_id = rollout_dag(service)
    return [
        Try(run_id=name, state=state, failed=_failed(dag_id, name) if state == "failed" else None)
        for name, state in tries(day, service)
    ]


def _failed(dag_id: str, name: str) -> FailedRollout:
    runs = FleetRunsHook()
    failed = runs.failed_tasks(dag_id, name)
    told = [(task, runs.pulled(dag_id, name, task, WHY, index) or "") for task, index in failed]
    return FailedRollout(why=why_failed(told), tasks=tuple(task for task, _ in failed))


def _vms(
    services: Mapping[str, Service],
    clouds: Collection[str],
    lost: Collection[str],
    *,
    patient: bool,
) -> tuple[dict[str, Sequence[SeenVm]], dict[str, str]]:
    """Return the VMs of each service that can be seen, and why those of the others cannot.

    *lost*: services that were planned, on *clouds*, and have no file here. Whoever retired one has
    left none of its VMs; else this worker reads another catalogue than the one that planned.
    """
    seen: dict[str, Sequence[SeenVm]] = {}
    unseen: dict[str, str] = {}
    users = users_of("opennebula", services.values())
    for cloud in sorted({*users, *clouds}):
        mine = users.get(cloud, ())
        try:
            vms = _by_service(cloud)
        except SnowmeltError as error:
            if patient and not isinstance(error, Refused):
                raise
            why = f"its VMs could not be looked at: {error}"
            unseen |= {service.name: why for service in mine}
        else:
            seen |= {each.name: see(each, Facts(vms=vms[each.name])).vms for each in mine}
            unseen |= {name: _NO_FILE for name in lost if _claimed(name, vms[name])}
    return seen, unseen


_NO_FILE = "there are VMs of it, and no file here: is SNOWMELT_CATALOGUE set, and mounted?"


def _claimed(service: str, vms: Iterable[CloudVm]) -> bool:
    """Say whether VMs are there that say they are its: people choose names like theirs."""
    return any(vm.phase != "done" and vm.attributes.get(SERVICE_MARK) == service for vm in vms)


def _by_service(cloud: str) -> Mapping[str, list[CloudVm]]:
    found: dict[str, list[CloudVm]] = defaultdict(list)
    for vm in OpenNebulaHook(cloud).vms():
        if name := parse_name(vm.name):
            found[name.service].append(vm)
    return found


def _evidence(vms: Mapping[str, Iterable[SeenVm]], store: Store) -> dict[str, VmProof]:
    files = {(service, vm.rollout) for service, seen in vms.items() for vm in seen}
    proofs = [p for service, rollout in sorted(files) for p in _read(store, service, rollout)]
    return {proof.name: proof for proof in proofs}


def _read(store: Store, service: str, rollout: str) -> list[VmProof]:
    text = store.read(evidence_file(service, rollout))
    try:
        return [VmProof.model_validate(vm) for vm in json.loads(text)["vms"]] if text else []
    except (ValueError, KeyError, TypeError, ValidationError):
        return []  # of an older form, or spoilt: those VMs show as without evidence
