"""Which release and how many VMs, when the run does not say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.planner import (
    MixedReleases,
)
from include.planner.errors import Expired
from tests.include.planner.seen import NEW, NOW, names, planned, seen, vm
from tests.include.planner.services import shop


def test_when_nothing_runs_the_catalogue_decides() -> None:
    """First deployment."""
    plan = planned(shop(release="1.4", replicas=3), seen())

    assert plan.release == "1.4"
    assert names(plan.new) == [f"shop-{NEW}-{slot}" for slot in range(3)]


def test_a_rotation_keeps_the_release_that_serves() -> None:
    """Not the catalogue's, which may be older or newer."""
    plan = planned(shop(), seen(vm(0, release="1.1"), vm(1, release="1.1")))

    assert plan.release == "1.1"
    assert len(plan.new) == len(plan.old) == 2


def test_where_the_balancer_has_lost_its_members_the_release_and_the_number_stay() -> None:
    """It was restarted without them, and the night's rotation comes in that moment."""
    lost = [vm(slot, release="1.4", member=None) for slot in range(4)]

    plan = planned(shop(), seen(*lost))

    assert (plan.release, plan.replicas) == ("1.4", 4)


def test_vms_that_do_not_agree_on_a_release_need_a_name() -> None:
    """A rotation must not guess which of two releases is the good one."""
    with pytest.raises(MixedReleases, match=r"1\.0, 1\.1"):
        planned(shop(), seen(vm(0), vm(1, release="1.1")))


def test_to_retire_a_service_no_release_has_to_be_named() -> None:
    """0 replicas of whatever runs."""
    plan = planned(shop(), seen(vm(0), vm(1, release="1.1")), replicas=0)

    assert len(plan.old) == 2
    assert not plan.new


def test_a_run_that_names_no_number_never_makes_a_service_smaller() -> None:
    """The rotation at night keeps what somebody scaled up by day."""
    plan = planned(shop(), seen(*(vm(slot) for slot in range(4))))

    assert plan.replicas == 4
    assert any("catalogue says 2" in note for note in plan.notes)


def test_what_has_expired_only_goes() -> None:
    """Whatever starts its rollout, also the daily rotation."""
    plan = planned(shop(expires_at=NOW), seen(vm(0), vm(1)))

    assert not plan.new
    assert [old.slot for old in plan.old] == [0, 1]
    assert "0 replicas: expired on 2026-05-01 12:00 UTC" in plan.notes


def test_what_has_expired_is_not_brought_back_by_naming_a_number() -> None:
    with pytest.raises(Expired, match="extend it first"):
        planned(shop(expires_at=NOW), seen(vm(0)), replicas=1)


def test_what_expires_in_a_moment_is_rotated_like_all_others() -> None:
    plan = planned(shop(expires_at=NOW + timedelta(seconds=1)), seen(vm(0), vm(1)))

    assert len(plan.new) == 2
