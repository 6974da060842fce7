"""Look at what a day's rotation has come to: runs, VMs, and the evidence that they left."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pydantic import ValidationError

from include.catalogue import Service
from include.facts import CloudVm
from include.fleet import RotationPlan, Turn
from include.front_doors import why_failed
from include.planner import Facts, SeenVm, parse_name, see
from include.proof import VmProof
from include.proof.findings import FailedRollout, Findings, Try
from snowmelt.catalogue import clouds_of
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
) -> Findings:
    """Return what was found: one look for each OpenNebula, one question for each run."""
    vms = _vms(services)
    evidence = _evidence(vms, store)
    bare = [name for name, seen in vms.items() if any(vm.name not in evidence for vm in seen)]
    return Findings(
        tries={turn.service: _tries(plan.day, turn) for turn in (*plan.turns, *plan.others)},
        held=held,
        broken=broken,
        vms=vms,
        evidence=evidence,
        busy=[name for name in bare if FleetRunsHook().under_way(f"rollout_{name}")],
    )


def _tries(day: str, turn: Turn) -> list[Try]:
    return [
        Try(run_id=name, state=state, failed=_failed(turn, name) if state == "failed" else None)
        for name, state in tries(day, turn)
    ]


def _failed(turn: Turn, name: str) -> FailedRollout:
    runs = FleetRunsHook()
    failed = runs.failed_tasks(turn.dag_id, name)
    told = [
        (task, runs.pulled(turn.dag_id, name, task, WHY, index) or "") for task, index in failed
    ]
    return FailedRollout(why=why_failed(told), tasks=tuple(task for task, _ in failed))


def _vms(services: Mapping[str, Service]) -> dict[str, Sequence[SeenVm]]:
    found: dict[tuple[str, str], list[CloudVm]] = defaultdict(list)
    for cloud in clouds_of(services.values()):
        for vm in OpenNebulaHook(cloud).vms():
            if name := parse_name(vm.name):
                found[cloud, name.service].append(vm)
    return {
        name: see(service, Facts(vms=found[service.connections.opennebula, name])).vms
        for name, service in services.items()
    }


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
