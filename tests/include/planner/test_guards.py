"""Right before each act: is it safe now?"""

from __future__ import annotations

from typing import Any

from include.planner import Plan, Seen, may_create, may_drain, may_join, may_retire, too_early
from tests.include.planner.seen import NEW, OLD, health, member, planned, seen, vm
from tests.include.planner.services import shop

_SHOP = shop()
_OLD0, _NEW0, _NEW1 = "shop-aaaaaaa-0", f"shop-{NEW}-0", f"shop-{NEW}-1"


def _plan(**wanted: Any) -> Plan:
    """1.0 to 1.1 with two replicas."""
    return planned(_SHOP, seen(vm(0), vm(1)), **{"release": "1.1", **wanted})


def _new(slot: int, **changes: Any) -> Any:
    return vm(slot, NEW, release="1.1", **changes)


def _drained(slot: int, **changes: Any) -> Any:
    name = f"shop-aaaaaaa-{slot}"
    return vm(slot, member=member(name, state="drain", **changes))


def test_a_vm_is_made_while_there_is_room() -> None:
    """Two run, four are allowed."""
    assert may_create(_SHOP, _plan(), seen(vm(0), vm(1)), _NEW0).status == "done"


def test_vms_that_are_silent_or_on_their_way_out_take_up_room() -> None:
    """Else a slow cloud would pile up VMs."""
    full = seen(
        vm(0),
        vm(1),
        vm(0, "ccccccc", vm_id=30, phase="stopping"),
        vm(1, "ccccccc", vm_id=31, phase="unknown"),
    )

    verdict = may_create(_SHOP, _plan(), full, _NEW0)

    assert (verdict.status, verdict.detail) == (
        "pending",
        f"no room for {_NEW0}: 4 VMs exist, 4 are allowed",
    )


def test_a_vm_that_is_there_may_be_made_again_since_that_does_nothing() -> None:
    """A repeated task finds its VM, whatever the room."""
    full = seen(vm(0), vm(1), _new(0), _new(1))

    assert may_create(_SHOP, _plan(), full, _NEW0).status == "done"


def test_only_what_the_plan_names_is_made() -> None:
    """A name from another rollout."""
    assert may_create(_SHOP, _plan(), seen(), "shop-ccccccc-0").status == "failed"


def test_a_vm_joins_when_it_is_in_dns_enrolled_let_in_and_monitored() -> None:
    """Each of them missing keeps it out."""
    whole = _new(0, member=None)

    assert may_join(_SHOP, _plan(), seen(whole), _NEW0).status == "done"
    for missing in (
        {"in_dns": False},
        {"enrolled": False},
        {"let_in": False},
        {"health": None},
    ):
        look = seen(_new(0, member=None, **missing))
        assert may_join(_SHOP, _plan(), look, _NEW0).status == "pending", missing


def test_the_heir_of_a_failed_vms_name_joins_and_the_failed_one_does_not() -> None:
    """A run that is cleared makes the VM anew that failed, under the same name."""
    broken = _new(0, vm_id=30, phase="failed", member=None, enrolled=False)
    plan = planned(_SHOP, seen(vm(0), vm(1), broken), release="1.1")
    assert [left.vm_id for left in plan.leftovers] == [30]

    heir, back = (_new(0, vm_id=vm_id, member=None) for vm_id in (40, 30))

    assert may_join(_SHOP, plan, seen(heir), _NEW0).status == "done"
    assert may_join(_SHOP, plan, seen(back), _NEW0).status == "failed"


def test_a_vm_with_a_critical_check_does_not_join() -> None:
    """Its detail says which."""
    sick = _new(0, member=None, health=health(f"{_NEW0}.lab.test", "critical"))

    verdict = may_join(_SHOP, _plan(), seen(sick), _NEW0)

    assert verdict.detail == f"{_NEW0} monitoring finds app critical"


def test_the_old_ones_drain_when_enough_new_ones_serve() -> None:
    """Every old VM may ask at the same moment: the count leaves all of them out."""
    look = seen(vm(0), vm(1), _new(0), _new(1))

    verdict = may_drain(_SHOP, _plan(), look, _OLD0)

    assert (verdict.status, verdict.detail) == ("done", "2 others serve ≥ 2 needed")


def test_an_old_one_does_not_drain_while_a_new_one_is_down() -> None:
    """Terraform's create_before_destroy got this wrong for ten years."""
    down = _new(1, member=member(_NEW1, state="down"))

    verdict = may_drain(_SHOP, _plan(), seen(vm(0), vm(1), _new(0), down), _OLD0)

    assert (verdict.status, verdict.detail) == ("pending", f"{_NEW1} does not serve yet")


def test_an_old_one_does_not_drain_before_the_new_ones_have_settled() -> None:
    """Up for 3 s of the 10 s in the catalogue."""
    fresh = _new(1, member=member(_NEW1, since_s=3))

    verdict = may_drain(_SHOP, _plan(), seen(vm(0), vm(1), _new(0), fresh), _OLD0)

    assert verdict.detail == f"{_NEW1} serves for 3 s, 10 s needed"


def test_the_pool_alone_says_the_same_of_what_only_takes_its_time() -> None:
    """Word for word, so that a wait tells one story; and nothing of what a full look decides."""
    for state in ({"state": "down"}, {"since_s": 3}):
        new = member(_NEW0), member(_NEW1, **state)
        look = seen(vm(0), vm(1), *(_new(slot, member=m) for slot, m in enumerate(new)))

        early = too_early(_SHOP, _plan(), new, _OLD0)
        assert early == may_drain(_SHOP, _plan(), look, _OLD0).detail

    assert too_early(_SHOP, _plan(), [member(_NEW0)], _OLD0) == f"{_NEW1} does not serve yet"
    assert too_early(_SHOP, _plan(), [member(_NEW0), member(_NEW1)], _OLD0) == ""


def test_the_pool_alone_holds_no_way_back_up() -> None:
    """Whether a new VM may drain is a matter of the old ones."""
    assert too_early(_SHOP, _plan(), [], _NEW0) == ""


def test_a_surplus_vm_does_not_drain_while_one_that_stays_is_down() -> None:
    """3 to 2: nothing new to wait for, but the floor holds all the same."""
    plan = planned(_SHOP, seen(vm(0), vm(1), vm(2)), replicas=2, replace="none")
    down = vm(1, member=member("shop-aaaaaaa-1", state="down"))

    verdict = may_drain(_SHOP, plan, seen(vm(0), down, vm(2)), "shop-aaaaaaa-2")

    assert (verdict.status, verdict.detail) == ("pending", "1 others serve < 2 needed")


def test_max_unavailable_lowers_the_floor() -> None:
    """One of two may be missing when the catalogue says so."""
    service = shop(max_unavailable=1)
    plan = planned(service, seen(vm(0), vm(1), vm(2)), replicas=2, replace="none")
    down = vm(1, member=member("shop-aaaaaaa-1", state="down"))

    assert may_drain(service, plan, seen(vm(0), down, vm(2)), "shop-aaaaaaa-2").status == "done"


def test_a_silent_vm_does_not_count_as_serving() -> None:
    """The balancer says up, OpenNebula says UNKNOWN: its host may be gone."""
    silent = _new(1, phase="unknown", state="ACTIVE/UNKNOWN")

    assert may_drain(_SHOP, _plan(), seen(vm(0), vm(1), _new(0), silent), _OLD0).status == "pending"


def test_a_vm_outside_the_plan_never_drains() -> None:
    """Whoever asks: it is another rollout's."""
    assert may_drain(_SHOP, _plan(), seen(), "shop-ccccccc-0").status == "failed"


def test_half_the_truth_lets_nothing_pass() -> None:
    """Neither drain nor retirement nor creation while the balancer does not answer."""
    blind = Seen(unreadable=("balancer: timed out",))

    for guard in (may_create, may_join, may_drain, may_retire):
        verdict = guard(_SHOP, _plan(), blind, _OLD0)
        assert (verdict.status, verdict.detail) == ("pending", "cannot see: balancer: timed out")


def test_an_old_vm_goes_when_it_is_drained_and_enough_serve() -> None:
    """The normal case."""
    look = seen(_drained(0), _drained(1), _new(0), _new(1))

    assert may_retire(_SHOP, _plan(), look, _OLD0).status == "done"


def test_an_old_vm_that_takes_traffic_does_not_go() -> None:
    """Not even when its drain is said to have ended: somebody un-drained it."""
    look = seen(vm(0), _drained(1), _new(0), _new(1))

    assert may_retire(_SHOP, _plan(), look, _OLD0, drained=True).status == "pending"


def test_an_old_vm_with_sessions_goes_after_its_deadline_only() -> None:
    """`drained` says that the drain has ended, in time or not."""
    look = seen(_drained(0, sessions=2), _drained(1), _new(0), _new(1))

    assert may_retire(_SHOP, _plan(), look, _OLD0).status == "pending"
    assert may_retire(_SHOP, _plan(), look, _OLD0, drained=True).status == "done"


def test_an_old_vm_stays_when_a_new_one_has_fallen_since() -> None:
    """Health is looked at until the last moment: the old one is still the way back."""
    down = _new(1, member=member(_NEW1, state="down"))
    look = seen(_drained(0), _drained(1), _new(0), down)

    assert may_retire(_SHOP, _plan(), look, _OLD0, drained=True).status == "pending"


def test_a_vm_that_is_gone_may_go_again() -> None:
    """A repeated task."""
    assert may_retire(_SHOP, _plan(), seen(_new(0)), _OLD0).status == "done"


def test_a_leftover_that_came_to_life_does_not_go() -> None:
    """It joined since the plan was made."""
    left = vm(0, "ccccccc", member=None, enrolled=False, vm_id=30)
    plan = planned(_SHOP, seen(vm(0), vm(1), left))
    alive = vm(0, "ccccccc", vm_id=30)

    assert may_retire(_SHOP, plan, seen(vm(0), vm(1), left), left.name).status == "done"
    assert may_retire(_SHOP, plan, seen(vm(0), vm(1), alive), left.name).status == "pending"


def test_a_successor_under_the_name_of_a_leftover_does_not_go() -> None:
    """The id tells them apart: a leftover of this very rollout has the name of a new VM."""
    broken = vm(0, NEW, phase="failed", member=None, vm_id=30)
    plan = planned(_SHOP, seen(vm(0), vm(1), broken))
    successor = vm(0, NEW, vm_id=31)

    verdict = may_retire(_SHOP, plan, seen(_drained(0), _drained(1), successor), _NEW0)

    assert verdict.status == "pending"


def test_on_the_way_back_a_new_vm_waits_for_the_old_ones() -> None:
    """They have to serve again before the new one stops."""
    away = seen(_drained(0), _drained(1), _new(0), _new(1))
    back = seen(vm(0), vm(1), _new(0), _new(1))

    assert may_drain(_SHOP, _plan(), away, _NEW0).status == "pending"
    assert may_drain(_SHOP, _plan(), back, _NEW0).status == "done"


def test_on_the_way_back_a_new_vm_outside_the_pool_goes_at_once() -> None:
    """Nobody is served by it, so it waits for nobody."""
    look = seen(_drained(0), _new(0, member=None))

    assert may_retire(_SHOP, _plan(), look, _NEW0).status == "done"


def test_where_the_old_ones_have_died_the_new_ones_stay() -> None:
    """Answers with some errors are better than none."""
    dead = vm(0, phase="failed", member=member(_OLD0, state="down"))

    assert may_drain(_SHOP, _plan(), seen(dead, _new(0), _new(1)), _NEW0).status == "pending"


def test_where_none_of_the_old_ones_served_the_new_ones_stay() -> None:
    """All were down when the plan was made: there is nothing to go back to."""
    down = [vm(slot, member=member(f"shop-{OLD}-{slot}", state="down")) for slot in (0, 1)]
    plan = planned(_SHOP, seen(*down))

    assert may_drain(_SHOP, plan, seen(*down, _new(0)), _NEW0).status == "pending"


def test_a_first_deployment_goes_though_nothing_served_before() -> None:
    plan = planned(_SHOP, seen())

    assert may_drain(_SHOP, plan, seen(_new(0)), _NEW0).status == "done"


def test_a_service_without_balancer_counts_what_runs_and_is_well() -> None:
    """A worker: enrolled, monitored, nothing critical."""
    worker = shop(balancer=None)
    plan = planned(worker, seen(vm(0, member=None), vm(1, member=None)))
    old = (vm(0, member=None), vm(1, member=None))
    well, sick = (vm(1, NEW, member=None, health=health("", state)) for state in ("ok", "critical"))

    assert may_retire(worker, plan, seen(*old, vm(0, NEW, member=None), well), _OLD0).status == (
        "done"
    )
    assert may_retire(worker, plan, seen(*old, vm(0, NEW, member=None), sick), _OLD0).status == (
        "pending"
    )
