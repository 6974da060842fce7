"""The trial of an image: one VM of a service, made as any other, in a service of its own.

A trial is a service of one VM that takes no traffic, so rollouts of the real service never see
its VM: not as a leftover and not as one that counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import sha256

from include.catalogue.model import Service
from include.catalogue.requests import TRIAL
from include.images import CannotRefresh
from include.planner import NewVm, OldVm, Plan, Seen, vm_name

# what the catalogue allows for a name, and X.509 for a certname; "-k3f9x2q-0." is the VM's part
_NAME_LIMIT, _CERTNAME_LIMIT, _TAIL = 40, 64, 13
_HASH = 4  # characters that tell two services apart whose names begin alike


def trial_service(service: Service, catalogue: Collection[str]) -> Service:
    """Return the service that tries an image for *service*: the same but for name and traffic."""
    room = min(_NAME_LIMIT, _CERTNAME_LIMIT - _TAIL - len(service.dns.zone)) - len(TRIAL)
    name = _cut(service.name, room) + TRIAL
    if name in catalogue:
        raise CannotRefresh(f"the catalogue has a service {name}: that is the name of a trial")
    changes = {
        "name": name,
        "replicas": 1,
        "strategy": "blue_green",  # a window over one VM has no size that is allowed
        "surge": None,
        "max_unavailable": 0,
        "monitoring": None,
        "balancer": None,
        "firewall": None,
        "expires_at": None,
    }
    return Service.model_validate({**service.model_dump(mode="json"), **changes})


def _cut(name: str, room: int) -> str:
    """Return a name that fits. Two services must not share a trial: each removes what it finds."""
    if len(name) <= room:
        return name
    start = name[: max(1, room - _HASH - 1)].rstrip("-")
    return f"{start}-{sha256(name.encode()).hexdigest()[:_HASH]}"


def trial_plan(trial: Service, rollout: str, release: str, seen: Seen) -> Plan:
    """Return the plan of a trial: one new VM, and what crashed trials left behind goes first."""
    name = vm_name(trial.name, rollout, 0)
    new = NewVm(
        name=name,
        fqdn=trial.fqdn(name),
        slot=0,
        release=release,
        canary=True,
        vm_id=None,
        reason="trial of an image",
    )
    leftovers = tuple(
        OldVm(
            name=vm.name,
            fqdn=vm.fqdn,
            slot=vm.slot,
            rollout=vm.rollout,
            release=vm.release,
            vm_id=vm.vm_id,
            address=vm.address,
            serving=False,
            reason="left over from an earlier trial",
        )
        for vm in seen.vms
        if vm.name != name
    )
    return Plan(
        service=trial.name,
        rollout=rollout,
        release=release,
        replicas=1,
        strategy=trial.strategy,
        replace="all",
        reason="trial of an image",
        new=(new,),
        leftovers=leftovers,
    )


def tried_release(service: Service, running: Iterable[str]) -> str:
    """Return the release to try: the one that all running VMs have, else the catalogue's."""
    found = set(running)
    return found.pop() if len(found) == 1 else service.release
