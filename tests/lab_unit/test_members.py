"""contrib/haproxy/snowmelt-members against a real HAProxy."""

from __future__ import annotations

import os
import time

from tests.lab_unit.haproxy_here import Balancer, balancer

__all__ = ["balancer"]

ADD = "add server shop/shop-b-0 127.0.0.1:10 check weight 100; set server shop/shop-b-0 state ready"
OLD = "server shop-a-0 127.0.0.1:9 check weight 100"
NEW = "server shop-b-0 127.0.0.1:10 check weight 100"


def test_a_member_that_joined_at_run_time_is_still_there_after_a_reload(
    balancer: Balancer,
) -> None:
    """The runtime API's work outlives the worker that it was done in."""
    balancer.say(ADD)

    assert balancer.sync().stdout == "members written\n"
    balancer.reload()

    assert balancer.running() == ["shop-a-0 100", "shop-b-0 100"]


def test_each_pool_keeps_its_own_members(balancer: Balancer) -> None:
    """One file, two pools: what joins one of them is not written into the other."""
    balancer.say(ADD.replace("shop", "accounts"))
    balancer.say("set server shop/shop-a-0 state drain")

    balancer.sync()
    balancer.reload()

    assert balancer.running() == ["shop-a-0 0"]
    assert balancer.running("accounts") == ["accounts-b-0 100"]


def test_a_drained_member_stays_drained_over_a_crash(balancer: Balancer) -> None:
    """It is written with weight 0, so a restart gives it no newcomers."""
    balancer.say(ADD)
    balancer.say("set server shop/shop-a-0 state drain")
    balancer.sync()

    balancer.crash()
    balancer.start()

    assert balancer.running() == ["shop-a-0 0", "shop-b-0 100"]


def test_a_member_back_from_drain_is_written_with_its_weight_again(balancer: Balancer) -> None:
    """Un-drain after a reload needs the weight too: the file said 0."""
    balancer.say("set server shop/shop-a-0 state drain")
    balancer.sync()
    balancer.reload()

    balancer.say("set weight shop/shop-a-0 100")
    balancer.sync()

    assert balancer.written() == [OLD]


def test_a_member_that_left_is_gone_from_the_file(balancer: Balancer) -> None:
    """Also when it was the file that had brought it."""
    balancer.say(ADD)
    balancer.say("set server shop/shop-a-0 state maint")
    balancer.say("del server shop/shop-a-0")

    balancer.sync()

    assert balancer.written() == [NEW]


def test_one_in_maintenance_is_written_as_disabled(balancer: Balancer) -> None:
    """A reload between maintenance and removal does not bring it back to work."""
    balancer.say("set server shop/shop-a-0 state maint")

    balancer.sync()

    assert balancer.written() == [f"{OLD} disabled"]


def test_nothing_is_written_while_haproxy_is_down(balancer: Balancer) -> None:
    """No answer is not an empty list: the file keeps the members for the restart."""
    balancer.say(ADD)
    balancer.sync()
    balancer.crash()

    done = balancer.sync()

    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert balancer.written() == [OLD, NEW]


def test_a_second_look_writes_nothing(balancer: Balancer) -> None:
    """The file's date says when a member changed, not when somebody looked."""
    balancer.say(ADD)
    balancer.sync()
    before = balancer.config.stat().st_mtime_ns

    assert balancer.sync().stdout == "members are as they should be\n"
    assert balancer.config.stat().st_mtime_ns == before


def test_a_hand_edit_waits_for_its_reload(balancer: Balancer) -> None:
    """Who adds a member by hand and has not reloaded yet does not lose the line."""
    edited = balancer.config.read_text().replace(OLD, f"{OLD}\n    {NEW}")
    balancer.config.write_text(edited)
    later = time.time() + 5
    os.utime(balancer.config, (later, later))

    done = balancer.sync()

    assert done.returncode == 1
    assert "edited by hand" in done.stderr
    assert balancer.written() == [OLD, NEW]


def test_a_backend_that_comes_with_the_next_reload_does_not_stop_the_others(
    balancer: Balancer,
) -> None:
    """Who adds a pool to the file has not reloaded yet, and members join another one meanwhile."""
    pool = "backend later\n    # BEGIN snowmelt members later\n    # END snowmelt members later\n"
    balancer.config.write_text(balancer.config.read_text() + pool)
    os.utime(balancer.config, (1, 1))
    balancer.say(ADD)

    assert balancer.sync().stdout == "members written\n"
    balancer.reload()

    assert balancer.written() == [OLD, NEW]
    assert balancer.running("later") == []


def test_a_file_that_haproxy_refuses_does_not_replace_the_good_one(balancer: Balancer) -> None:
    """The check runs on the new file before it takes the old one's place."""
    broken = balancer.config.read_text().replace("balance leastconn", "balance nonsense")
    balancer.config.write_text(broken)
    os.utime(balancer.config, (1, 1))
    balancer.say(ADD)

    done = balancer.sync()

    assert done.returncode == 1
    assert "refuses the new file" in done.stderr
    assert balancer.config.read_text() == broken


def test_the_rest_of_the_file_is_left_as_it_is(balancer: Balancer) -> None:
    """Only what stands between the two comment lines changes."""
    before = balancer.config.read_text()
    balancer.say(ADD)

    balancer.sync()

    assert balancer.config.read_text() == before.replace(OLD, f"{OLD}\n    {NEW}")
