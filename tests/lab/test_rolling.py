"""Rolling with a surge of 1: one VM more than planned at a time, and nobody outside notices."""

from __future__ import annotations

import pytest

from lab.demo import world as worlds
from tests.lab.service import Accounts, most_at_once, signed_more_than_once

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]


def test_a_release_rolls_in_with_one_vm_more_at_a_time(accounts: Accounts) -> None:
    old, release = accounts.serving()
    with accounts.under_load():
        state, run_id = accounts.roll(600, release=release)

    now = accounts.world()
    new = worlds.vms_of(now, "accounts")
    assert state == "success", accounts.why(run_id)
    assert [vm.release for vm in new] == [release, release]
    assert most_at_once([*old, *new]) == 3
    assert worlds.traces(now, old) == []
    assert signed_more_than_once() == []
    assert len(accounts.tasks(run_id)) <= 12 * len(old)


def test_a_failing_canary_stops_the_window_before_the_second_vm_is_made(accounts: Accounts) -> None:
    """1.2 starts, and fails its health check 3 s later."""
    old, _ = accounts.serving()
    before = accounts.world()
    with accounts.under_load():
        state, run_id = accounts.roll(release="1.2")

    assert state == "failed"
    assert "503 Service Unavailable" in accounts.why(run_id)
    assert "the window has stopped" in accounts.log(run_id, "create_vm")
    assert accounts.vms() == old
    assert worlds.changes(before, accounts.world()) == []
