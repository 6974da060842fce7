"""What condition a VM is in: its faults by name, and whether it serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from include.catalogue.model import Service
from include.facts import HostHealth
from include.planner.model import Plan, Seen, SeenVm


def sick_checks(health: HostHealth) -> tuple[str, ...]:
    """Return the checks that are critical. Warning is well; unknown and pending say nothing yet."""
    return tuple(c.name for c in (health.host, *health.checks) if c.state == "critical")


def faults_before_traffic(service: Service, vm: SeenVm) -> tuple[str, ...]:
    """Return what keeps a VM from taking traffic, apart from the balancer itself."""
    return tuple(_faults_of_vm(vm)) + tuple(_faults_in_monitoring(service, vm))


def faults(service: Service, vm: SeenVm) -> tuple[str, ...]:
    """Return all that is wrong with a VM; none means that it is whole."""
    return faults_before_traffic(service, vm) + tuple(_faults_in_pool(service, vm))


def _faults_of_vm(vm: SeenVm) -> Iterator[str]:
    if vm.phase != "running":
        yield f"OpenNebula says {vm.state}" + (f" ({vm.message})" if vm.message else "")
    if not vm.in_dns:
        yield "is not in DNS"
    if not vm.enrolled:
        yield "has no signed certificate"
    if not vm.let_in:
        yield "is not let in by the firewall"


def _faults_in_monitoring(service: Service, vm: SeenVm) -> Iterator[str]:
    if service.monitoring is None:
        return
    if vm.health is None:
        yield "is not monitored"
    elif sick := sick_checks(vm.health):
        yield f"monitoring finds {', '.join(sick)} critical"


def _faults_in_pool(service: Service, vm: SeenVm) -> Iterator[str]:
    if service.balancer is None:
        return
    if vm.member is None:
        yield f"is not in pool {service.balancer.pool}"
    elif vm.member.state != "up":
        yield f"is {vm.member.state} in pool {service.balancer.pool}"


def serves(service: Service, vm: SeenVm) -> bool:
    """Return whether a VM takes traffic and OpenNebula knows it to run.

    A VM in state UNKNOWN is not counted, whatever the balancer says: its host may be gone.
    """
    if service.balancer is None:
        return not faults(service, vm)
    return vm.phase == "running" and vm.member is not None and vm.member.state == "up"


def is_only_drained(service: Service, vm: SeenVm) -> bool:
    """Return whether a VM would serve if it were not drained."""
    is_drained = vm.member is not None and vm.member.state == "drain"
    return is_drained and not faults_before_traffic(service, vm)


def carries(service: Service, vm: SeenVm) -> bool:
    """Return whether somebody may still depend on a VM: it is in a pool, or nobody can say."""
    if vm.phase == "unknown":
        return True
    if service.balancer is None:
        return vm.phase == "running" and vm.enrolled
    return vm.member is not None and (vm.member.state != "maint" or vm.member.connections > 0)


def count_serving(service: Service, vms: Iterable[SeenVm]) -> int:
    """Return how many of *vms* serve."""
    return sum(serves(service, vm) for vm in vms)


def needed(service: Service, plan: Plan) -> int:
    """Return how many VMs have to serve at every moment."""
    return max(0, plan.replicas - service.max_unavailable)


def least_before(service: Service, plan: Plan, before: int) -> int:
    """Return how many of the VMs that a way back leaves have to serve before new ones go.

    *before* of them served or came since. Where none of the old ones did, one that serves now is
    worth more than what was there.
    """
    return min(max(before, bool(plan.old)), needed(service, plan))


def ceiling(service: Service, plan: Plan) -> int:
    """Return how many VMs may exist at once, with those that are unknown or on their way out.

    Where more run than are wanted (4 of 2), those that run are the measure, not those wanted.
    """
    beside = plan.replicas if plan.strategy == "blue_green" else 0
    surge = beside if service.surge is None else service.surge
    return max(plan.replicas, len(plan.old) + len(plan.kept)) + surge


def existing(seen: Seen) -> int:
    """Return how many VMs take up room: all but those that OpenNebula calls done."""
    return sum(vm.phase != "done" for vm in seen.vms)
