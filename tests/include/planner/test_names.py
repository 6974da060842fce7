"""Names carry the identity of a VM, so they have to be derived and read without doubt."""

from __future__ import annotations

import re

import pytest

from include.planner import parse_name, rollout_id, vm_name


def test_every_attempt_of_a_run_has_the_same_rollout() -> None:
    """A retry has to find what the attempt before it made."""
    assert rollout_id("rollout_shop", "manual__1") == rollout_id("rollout_shop", "manual__1")


def test_two_runs_have_two_rollouts() -> None:
    """Else a run would take over the VMs of another one."""
    assert rollout_id("rollout_shop", "manual__1") != rollout_id("rollout_shop", "manual__2")


def test_a_rollout_is_fit_for_a_dns_label() -> None:
    """Seven characters of lower-case base32."""
    assert re.fullmatch("[a-z2-7]{7}", rollout_id("rollout_shop", "manual__1"))


def test_a_name_is_read_back() -> None:
    """What `vm_name` puts together, `parse_name` takes apart."""
    assert parse_name(vm_name("shop", "k3f9x2q".replace("9", "7"), 12)) == (
        "shop",
        "k3f7x2q",
        12,
    )


def test_a_service_whose_name_looks_like_a_vm_is_read_right() -> None:
    """The rollout and the slot are the last two parts, whatever comes before."""
    found = parse_name("shop-aaaaaaa-0-bbbbbbb-1")

    assert found is not None
    assert found.service == "shop-aaaaaaa-0"


@pytest.mark.parametrize(
    "name",
    ["shop", "shop-1", "shop-aaaaaaa", "shop-aaaaaaa-x", "shop-aaaaaa1-0", "shop-aaaaaaa-01", "-0"],
)
def test_other_names_are_not_ours(name: str) -> None:
    """A VM that somebody made by hand."""
    assert parse_name(name) is None
