"""Which VMs stay, come, go first and go last, by situation."""

from __future__ import annotations

from datetime import timedelta

from tests.include.planner.seen import NEW, NOW, member, names, planned, seen, vm
from tests.include.planner.services import shop


def test_outdated_replaces_another_release_only() -> None:
    """The VM that is right stays, and the new one takes the other's slot."""
    plan = planned(shop(), seen(vm(0), vm(1, release="0.9")), release="1.0", replace="outdated")

    assert names(plan.kept) == ["shop-aaaaaaa-0"]
    assert names(plan.new) == [f"shop-{NEW}-1"]
    assert plan.old[0].reason == "release 0.9 is not 1.0"


def test_outdated_replaces_what_is_older_than_max_age() -> None:
    """Age is one more reason, under the same rules."""
    aged = vm(0, created_at=NOW - timedelta(hours=25))

    plan = planned(shop(), seen(aged, vm(1)), replace="outdated")

    assert plan.old[0].reason == "25 h old, max_age is 1d"


def test_a_vm_that_is_not_whole_is_replaced_whatever_was_asked() -> None:
    """`replace=none` heals: its monitoring is critical, so slot 0 is made anew."""
    plan = planned(shop(), seen(vm(0, in_dns=False), vm(1)), replace="none")

    assert [(old.name, old.reason) for old in plan.old] == [("shop-aaaaaaa-0", "is not in DNS")]
    assert names(plan.new) == [f"shop-{NEW}-0"]


def test_a_run_for_one_slot_replaces_that_one_only() -> None:
    """The others stay, however old they are."""
    aged = vm(2, created_at=NOW - timedelta(hours=25))

    plan = planned(shop(replicas=3), seen(vm(0), vm(1), aged), slots=(1,))

    assert names(plan.kept) == ["shop-aaaaaaa-0", "shop-aaaaaaa-2"]
    assert names(plan.new) == [f"shop-{NEW}-1"]
    assert [old.slot for old in plan.old] == [1]
    assert "only slot 1, and what is broken, is replaced" in plan.notes


def test_a_run_for_one_slot_fills_it_when_its_vm_has_vanished() -> None:
    """A VM that died is replaced by a rollout of its slot."""
    plan = planned(shop(), seen(vm(0)), slots=(1,))

    assert names(plan.new) == [f"shop-{NEW}-1"]
    assert not plan.old


def test_what_an_earlier_try_made_stays_where_it_has_taken_over() -> None:
    """Its old VM is gone: as a new one it would be taken away if another slot failed now."""
    made, half = vm(0, NEW, release="1.1"), vm(1, NEW, release="1.1", member=None)

    plan = planned(shop(), seen(made, half, vm(1)), release="1.1")

    assert [(v.name, v.reason) for v in plan.kept] == [
        (f"shop-{NEW}-0", "this rollout made it, and it is whole")
    ]
    assert names(plan.new) == [f"shop-{NEW}-1"]


def test_what_is_half_gone_is_no_way_back() -> None:
    """Its `terminate_vm` failed and the run was cleared: it has no certificate any more."""
    half = vm(0, member=None, enrolled=False, in_dns=False)

    plan = planned(shop(replicas=1), seen(vm(0, NEW, release="1.1"), half), release="1.1")

    assert names(plan.kept) == [f"shop-{NEW}-0"]
    assert [gone.name for gone in plan.leftovers] == ["shop-aaaaaaa-0"]


def test_what_an_earlier_try_made_is_new_while_its_old_vm_is_there() -> None:
    """That one is the way back."""
    plan = planned(shop(), seen(vm(0, NEW, release="1.1"), vm(0), vm(1)), release="1.1")

    assert names(plan.new) == [f"shop-{NEW}-0", f"shop-{NEW}-1"]
    assert not plan.kept


def test_when_scaling_down_the_broken_one_goes_before_the_highest_slot() -> None:
    """4 to 2 with slot 0 down: 0 and 3 go, 1 and 2 stay."""
    down = vm(0, member=member("shop-aaaaaaa-0", state="down"))

    plan = planned(shop(), seen(down, vm(1), vm(2), vm(3)), replicas=2, replace="none")

    assert [old.slot for old in plan.old] == [0, 3]
    assert not plan.new


def test_what_a_crashed_rollout_left_goes_first() -> None:
    """It takes no traffic and takes up room."""
    crashed = vm(0, "ccccccc", member=None, enrolled=False, vm_id=30)

    plan = planned(shop(), seen(vm(0), vm(1), crashed))

    assert [(v.name, v.reason) for v in plan.leftovers] == [
        ("shop-ccccccc-0", "left over from rollout ccccccc: has no signed certificate")
    ]
    assert plan.moves[0].verb == "retire"


def test_when_the_balancer_has_lost_its_members_no_vm_goes_first() -> None:
    """VMs that could serve are the only way back, so they go last."""
    plan = planned(shop(), seen(vm(0, member=None), vm(1, member=None)), release="1.0")

    assert not plan.leftovers
    assert [old.serving for old in plan.old] == [False, False]


def test_a_vm_whose_host_fell_silent_goes_last() -> None:
    """UNKNOWN may come back, and somebody may still be served by it."""
    silent = vm(0, phase="unknown", state="ACTIVE/UNKNOWN", member=None)

    plan = planned(shop(), seen(silent, vm(1)), replace="none")

    assert not plan.leftovers
    assert [(old.name, old.serving) for old in plan.old] == [("shop-aaaaaaa-0", False)]


def test_a_run_that_is_cleared_adopts_what_it_made_before() -> None:
    """Same names, same VMs: nothing is made twice."""
    made = vm(0, NEW, release="1.1", member=None)

    plan = planned(shop(), seen(vm(0), vm(1), made), release="1.1")

    assert [(new.name, new.vm_id) for new in plan.new] == [
        (f"shop-{NEW}-0", made.vm_id),
        (f"shop-{NEW}-1", None),
    ]
    assert len(plan.old) == 2


def test_a_vm_of_this_run_that_failed_goes_and_is_made_anew() -> None:
    """Under the same name, after the first one is gone."""
    broken = vm(0, NEW, phase="failed", state="ACTIVE/BOOT_FAILURE", member=None, enrolled=False)

    plan = planned(shop(), seen(broken))

    assert [left.vm_id for left in plan.leftovers] == [broken.vm_id]
    assert [(new.slot, new.vm_id) for new in plan.new] == [(0, None), (1, None)]


def test_a_run_that_is_cleared_when_all_is_done_has_nothing_to_do() -> None:
    """A rotation that has ended does not begin again."""
    plan = planned(shop(), seen(vm(0, NEW), vm(1, NEW)))

    assert plan.nothing_to_do
    assert len(plan.kept) == 2


def test_two_vms_in_one_slot_leave_one() -> None:
    """A rollout that died after its VMs joined: the right release stays, the other goes."""
    both = seen(vm(0), vm(1), vm(0, "ccccccc", vm_id=30, release="1.1"))

    plan = planned(shop(), both, release="1.1", replace="outdated")

    assert names(plan.kept) == ["shop-ccccccc-0"]
    assert [old.slot for old in plan.old] == [0, 1]
    assert [new.slot for new in plan.new] == [1]


def test_a_second_vm_under_one_name_is_left_to_create_vm() -> None:
    """The lower id is the VM; the twin is only named."""
    twin = vm(0, NEW, vm_id=99, phase="held", member=None)

    plan = planned(shop(), seen(vm(0, NEW, member=None), twin))

    assert plan.new[0].vm_id == 20
    assert any("vm 99 is a twin" in note for note in plan.notes)
    assert not plan.leftovers
