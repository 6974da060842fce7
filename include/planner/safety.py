"""What no plan may do: decide on half the truth, touch what is not ours, destroy too much."""

from __future__ import annotations

from include.catalogue.model import Service
from include.planner.condition import ceiling, needed
from include.planner.errors import CannotSee, ForeignVms, UnsafePlan
from include.planner.model import Plan, Seen


def refuse_the_unclear(seen: Seen, *, force: bool) -> None:
    """Raise when the truth is unknown, or when somebody else's VM stands under a name of ours.

    Force goes on beside a foreign VM (which stays untouched), never on half the truth.
    """
    if not seen.complete:
        raise CannotSee("cannot see all of it: " + "; ".join(seen.unreadable))
    blocking = [f"{vm.name} (vm {vm.vm_id}) {vm.why}" for vm in seen.foreign if vm.blocking]
    if blocking and not force:
        raise ForeignVms(
            "; ".join(blocking) + ": rename or remove it, or run with force to go on beside it"
        )


def refuse_the_unsafe(service: Service, plan: Plan, *, force: bool) -> None:
    """Raise when *plan* breaks a limit of the catalogue; force lifts all limits but room."""
    (_refuse_standstill if plan.strategy == "rolling" else _refuse_lack_of_room)(service, plan)
    if not force:
        _refuse_many(service, plan)
        _refuse_shrinking(service, plan)


def _refuse_lack_of_room(service: Service, plan: Plan) -> None:
    """The strategy makes all new VMs beside the old ones; leftovers are gone by then."""
    at_once, limit = len(plan.new) + len(plan.old) + len(plan.kept), ceiling(service, plan)
    if at_once > limit:
        raise UnsafePlan(
            f"{plan.strategy} needs {at_once} VMs at once ({len(plan.new)} new,"
            f" {len(plan.old)} old, {len(plan.kept)} kept), and surge {service.surge}"
            f" allows {limit}: raise surge"
        )


def _refuse_standstill(service: Service, plan: Plan) -> None:
    """A rolling rollout needs room for one VM, or one VM that can be spared to make it."""
    coming = sum(pair.new is not None for pair in plan.pairs)
    going = sum(pair.old is not None for pair in plan.pairs)
    if (coming, going) != (len(plan.new), len(plan.old)):
        raise UnsafePlan(
            f"{plan.strategy} finds no order in which {needed(service, plan)} VMs serve all the"
            f" time and at most {ceiling(service, plan)} exist: raise surge"
        )
    first = next(iter(plan.pairs), None)
    serving = any(vm.serving for vm in plan.old)
    if first and first.new is None and plan.new and serving and not needed(service, plan):
        raise UnsafePlan(
            f"max_unavailable {service.max_unavailable} of {plan.replicas} replicas: none would"
            " serve while the first is replaced; give the service surge 1"
        )


def _refuse_many(service: Service, plan: Plan) -> None:
    going, limit = len(plan.old) + len(plan.leftovers), service.limits.retire
    if going > limit:
        raise UnsafePlan(
            f"the plan retires {going} VMs, limits.retire is {limit}:"
            " run with force if that is meant, or raise it in the service's file"
        )


def _refuse_shrinking(service: Service, plan: Plan) -> None:
    serving = sum(vm.serving for vm in plan.old) + len(plan.kept)
    lost, limits = max(0, serving - plan.replicas), service.limits
    if serving >= limits.share_from and lost > limits.shrink_share * serving:
        raise UnsafePlan(
            f"the plan takes {lost} of {serving} serving VMs away ({lost / serving:.0%}),"
            f" limits.shrink_share is {limits.shrink_share:.0%}: run with force if that is meant"
        )
