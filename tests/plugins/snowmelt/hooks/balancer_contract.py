"""What is true of any load balancer: the situations that the docstring of `Balancer` speaks of.

A new one's test has a fixture `rig`, and a class `Test…(BalancerContract)` with nothing in it, or
with what its balancer cannot do, and why.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from threading import Barrier
from typing import ClassVar, Literal

import pytest

from include.facts import Member
from include.planner import started_anew
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict, Missing, NotAllowed, Unreachable
from snowmelt.hooks.balancer import Balancer
from tests.plugins.snowmelt.hooks.balancer_rig import OpenRequest, Rig, error_of
from tests.plugins.snowmelt.hooks.servers import until

# What the contract has a rule for where a balancer cannot: what then holds is tested all the same.
Ability = Literal["count connections", "count requests", "count sessions", "cut connections"]
# One that waits for nothing takes milliseconds, and on a busy machine not so long either.
QUICK_S = 2.0


class BalancerContract:
    """Each test is a situation."""

    cannot: ClassVar[Mapping[Ability, str]] = {}  # and why not

    def needs(self, ability: Ability) -> None:
        if ability in self.cannot:
            pytest.skip(f"cannot {ability}: {self.cannot[ability]}")

    def test_a_new_member_serves_after_its_check_and_not_before(self, rig: Rig) -> None:
        """Requests until then are refused by the balancer, never sent to the new VM."""
        rig.apps["vm0"].healthy = False

        assert rig.add("vm0") is Outcome.CREATED

        assert rig.one("vm0").state in ("starting", "down")
        assert rig.get().status_code >= 500
        rig.wait_for("vm0", "down")
        assert (rig.one("vm0").requests, rig.apps["vm0"].served) == (0, 0)
        rig.apps["vm0"].healthy = True
        rig.wait_for("vm0", "up")
        assert rig.get().status_code == 200

    def test_joining_twice_changes_nothing(self, rig: Rig) -> None:
        """A retry finds the member and leaves it up."""
        rig.join("vm0")

        assert rig.add("vm0") is Outcome.UNCHANGED

        assert rig.one("vm0").state == "up"

    def test_of_four_who_join_it_at_once_one_member_comes(self, rig: Rig) -> None:
        """Two tries of one task may meet. A second member of that name would outlive the first."""
        outcomes = at_once(lambda: rig.add("vm0"))

        assert Outcome.CREATED in outcomes
        assert rig.names() == ["vm0"]
        rig.wait_for("vm0", "up")
        until(lambda: rig.removed("vm0"))
        assert rig.names() == []

    @pytest.mark.parametrize("address", ["127.0.0.9", "127.0.0.1"])
    def test_the_name_with_another_address_or_port_is_a_conflict(
        self, rig: Rig, address: str
    ) -> None:
        """The message shows both."""
        rig.add("vm0")
        port = rig.apps["vm0"].port

        with pytest.raises(Conflict, match=rf"127\.0\.0\.1:{port}.* {address}:80\b"):
            rig.hook.ensure_member("shop", "vm0", address, 80)

        assert (rig.one("vm0").address, rig.one("vm0").port) == ("127.0.0.1", port)

    def test_two_names_at_one_address_are_two_members_or_a_conflict(self, rig: Rig) -> None:
        """A VM has got the address of one that went without leaving its pool."""
        rig.add("vm0")

        with suppress(Conflict):
            rig.add("vm1", app="vm0")
            until(lambda: rig.removed("vm1"))

        assert rig.names() == ["vm0"]

    def test_a_drained_member_keeps_its_sessions_and_gets_no_new_ones(self, rig: Rig) -> None:
        """The cookie decides."""
        rig.join("vm0")
        cookie = rig.get().cookies["SESSIONID"]

        assert rig.hook.drain("shop", "vm0") is Outcome.REMOVED
        assert rig.hook.drain("shop", "vm0") is Outcome.UNCHANGED

        assert rig.one("vm0").state == "drain"
        assert rig.get(SESSIONID=cookie).status_code == 200
        assert rig.get().status_code >= 500

    def test_a_drain_is_of_one_member(self, rig: Rig) -> None:
        """Its neighbours take what it gives up."""
        rig.join("vm0", "vm1")

        rig.hook.drain("shop", "vm0")

        assert [m.state for m in rig.hook.members("shop")] == ["drain", "up"]
        assert {rig.get().status_code for _ in range(4)} == {200}
        assert [app.served for app in rig.apps.values()] == [0, 4]

    def test_an_undrained_member_gets_new_sessions_again(self, rig: Rig) -> None:
        """The way back of a rollout."""
        rig.join("vm0")
        rig.hook.drain("shop", "vm0")

        assert rig.hook.undrain("shop", "vm0") is Outcome.CREATED
        until(lambda: rig.get().status_code == 200)
        assert rig.hook.undrain("shop", "vm0") is Outcome.UNCHANGED

    def test_a_drained_member_that_joins_gets_new_sessions_again(self, rig: Rig) -> None:
        """A step that is tried again may find that a way back was begun meanwhile."""
        rig.join("vm0")
        rig.hook.drain("shop", "vm0")

        assert rig.add("vm0") is Outcome.CREATED

        until(lambda: rig.get().status_code == 200)

    def test_a_member_drained_while_down_comes_back(self, rig: Rig) -> None:
        """A balancer may show it as down, and the drain would stay in force unseen."""
        rig.join("vm0")
        rig.apps["vm0"].healthy = False
        rig.wait_for("vm0", "down")
        rig.hook.drain("shop", "vm0")

        rig.hook.undrain("shop", "vm0")

        rig.apps["vm0"].healthy = True
        rig.wait_for("vm0", "up")

    def test_a_running_request_holds_a_drain(self, rig: Rig) -> None:
        """Its VM is retired when nothing is open any more, and not before."""
        self.needs("count connections")
        rig.join("vm0")
        client = rig.open_request("vm0")

        rig.hook.drain("shop", "vm0")

        assert rig.one("vm0").connections == 1
        assert client.end() == 200
        until(lambda: rig.one("vm0").connections == 0)

    def test_only_sessions_in_use_hold_a_drain(self, rig: Rig) -> None:
        """Until they were idle for the time that was asked for."""
        rig.join("vm0")
        rig.get()
        rig.hook.drain("shop", "vm0")

        assert rig.one("vm0", idle_s=60).sessions == 1
        assert [member.sessions for member in rig.hook.members("shop")] == [0]  # nobody asked
        until(lambda: rig.one("vm0", idle_s=0.1).sessions == 0)

    def test_sessions_are_counted(self, rig: Rig) -> None:
        """The log of a drain says how many it waits for."""
        self.needs("count sessions")
        rig.join("vm0")
        rig.get()
        rig.get()

        assert rig.one("vm0", idle_s=60).sessions == 2

    def test_a_pool_without_sticky_sessions_has_none(self, rig: Rig) -> None:
        """A drain waits for connections only."""
        rig.add("vm0", "plain")

        assert [member.sessions for member in rig.hook.members("plain", 60)] == [0]

    def test_requests_and_errors_are_counted(self, rig: Rig) -> None:
        """The watch of a rollout reads these."""
        self.needs("count requests")
        rig.join("vm0")
        rig.get()
        rig.get("/broken")

        seen = rig.one("vm0")

        assert (seen.requests, seen.errors) == (2, 1)

    def test_counters_fall_when_the_balancer_is_started_anew_and_at_no_other_time(
        self, rig: Rig
    ) -> None:
        """At each fall the watch of a rollout begins to count anew."""
        self.needs("count requests")
        rig.join("vm0")
        looks = []
        for _ in range(4):
            rig.get()
            looks.append(rig.hook.members("shop"))
        assert not any(map(started_anew, looks, looks[1:]))

        rig.restart()

        rig.wait_for("vm0", "up")
        assert started_anew(looks[-1], rig.hook.members("shop"))

    def test_seconds_begin_anew_when_a_member_falls_and_returns(self, rig: Rig) -> None:
        """By them the watch knows a VM that was down between two of its looks."""
        rig.join("vm0")
        until(lambda: rig.one("vm0").since_s >= 2)

        rig.apps["vm0"].healthy = False
        until(lambda: (now := rig.one("vm0")).state == "down" and now.since_s < 2)
        rig.apps["vm0"].healthy = True
        until(lambda: (now := rig.one("vm0")).state == "up" and now.since_s < 2)

        back = rig.one("vm0").since_s
        until(lambda: rig.one("vm0").since_s > back)

    def test_another_process_sees_the_same(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        """A triggerer looks at what a worker has done."""
        rig.join("vm0", "vm1")
        rig.hook.drain("shop", "vm0")
        until(lambda: rig.one("vm1").since_s >= 1)
        here = rig.hook.members("shop")

        forget(rig.hook, monkeypatch)

        there = rig.hook.members("shop")
        assert timeless(there) == timeless(here)
        assert there[1].since_s >= here[1].since_s

    def test_what_was_done_shows_at_once(self, rig: Rig) -> None:
        """Also to the hook that has just looked."""
        hook = rig.hook
        assert hook.members("shop") == ()

        hook.ensure_member("shop", "vm0", "127.0.0.1", rig.apps["vm0"].port)
        assert [m.name for m in hook.members("shop")] == ["vm0"]
        rig.wait_for("vm0", "up")
        assert [m.state for m in hook.members("shop")] == ["up"]
        hook.drain("shop", "vm0")
        assert [m.state for m in hook.members("shop")] == ["drain"]
        hook.undrain("shop", "vm0")
        assert [m.state for m in hook.members("shop")] != ["drain"]

    def test_a_member_with_a_running_request_is_not_removed_yet(self, rig: Rig) -> None:
        """Busy until it has ended; then it is removed, and a second time nothing happens."""
        rig.join("vm0")
        client = rig.open_request("vm0")

        with pytest.raises(Busy):
            rig.hook.remove_member("shop", "vm0")

        assert client.end() == 200
        until(lambda: rig.removed("vm0"))
        assert rig.names() == []
        assert rig.hook.remove_member("shop", "vm0") is Outcome.UNCHANGED

    def test_only_the_one_that_is_named_is_removed(self, rig: Rig) -> None:
        rig.join("vm0", "vm1")

        until(lambda: rig.removed("vm0"))

        assert [(m.name, m.state) for m in rig.hook.members("shop")] == [("vm1", "up")]
        assert rig.get().status_code == 200

    @pytest.mark.parametrize("verb", ["undrain", "ensure_member"])
    def test_a_member_that_could_not_leave_yet_comes_back(self, rig: Rig, verb: str) -> None:
        """A rollout that fails in between has its old VMs serve again."""
        client = in_maintenance(rig)

        assert rig.verbs()[verb]() is Outcome.CREATED

        client.end()
        rig.wait_for("vm0", "up")
        assert rig.get().status_code == 200

    def test_a_drain_in_maintenance_brings_no_new_sessions(self, rig: Rig) -> None:
        """A drain that is tried again after its member tried to leave."""
        client = in_maintenance(rig)

        rig.hook.drain("shop", "vm0")

        assert rig.one("vm0").state in ("drain", "maint")
        assert rig.get().status_code >= 500
        client.end()

    def test_at_the_end_of_its_deadline_a_member_leaves_at_once(self, rig: Rig) -> None:
        """Where a balancer cannot cut, what runs on ends with its VM."""
        rig.join("vm0")
        client = rig.open_request("vm0")

        until(lambda: rig.removed("vm0", cut=True))

        assert rig.names() == []
        client.end()

    def test_connections_are_cut_on_request(self, rig: Rig) -> None:
        """The declared action at the end of a drain deadline."""
        self.needs("cut connections")
        rig.join("vm0")
        client = rig.open_request("vm0")

        until(lambda: rig.removed("vm0", cut=True))

        assert client.end() != 200

    def test_a_member_that_is_not_there_cannot_be_drained(self, rig: Rig) -> None:
        """Removing it succeeds all the same."""
        with pytest.raises(Missing, match="vm9"):
            rig.hook.drain("shop", "vm9")
        with pytest.raises(Missing, match="vm9"):
            rig.hook.undrain("shop", "vm9")
        assert rig.hook.remove_member("shop", "vm9") is Outcome.UNCHANGED

    def test_an_unknown_pool_is_missing(self, rig: Rig) -> None:
        """Somebody has to add it to the balancer's configuration."""
        errors = {verb: error_of(act) for verb, act in rig.verbs(pool="nowhere").items()}

        assert errors.pop("members_of") is None
        assert {verb for verb, e in errors.items() if type(e) is not Missing} == set()
        assert {verb for verb, e in errors.items() if "nowhere" not in str(e)} == set()

    def test_the_members_of_many_pools_come_with_one_call(self, rig: Rig) -> None:
        """A pool that is not there has none: it must not hide the others."""
        rig.add("vm0")
        rig.add("vm1", "plain")

        found = rig.hook.members_of(["shop", "plain", "nowhere"])

        assert [(each.pool, each.name) for each in found] == [("plain", "vm1"), ("shop", "vm0")]
        assert rig.hook.members_of([]) == ()

    def test_a_member_that_was_made_by_hand_is_listed(self, rig: Rig) -> None:
        """The audit tells of it, and nobody else would."""
        rig.by_hand()

        assert len(rig.hook.members("shop")) == len(rig.hook.members_of(["shop"])) == 1

    def test_they_come_as_one_pool_shows_them(self, rig: Rig) -> None:
        """Whoever drains, is in maintenance or has a client is in there like the others."""
        rig.join("vm0")
        client = rig.open_request("vm0")

        for act in (rig.verbs()["drain"], rig.verbs()["remove_member"]):
            error_of(act)
            of_many = rig.hook.members_of(["shop"])
            assert timeless(of_many) == timeless(rig.hook.members("shop"))
            assert [m.connections for m in of_many] == [1]
        client.end()

    def test_what_the_account_may_not_do_is_never_taken_for_done(self, rig: Rig) -> None:
        """An answer that is no success is an error, and one that ends the wait for it."""
        rig.join("vm0")

        with pytest.raises(NotAllowed):
            rig.powerless.ensure_member("shop", "vm1", "127.0.0.1", rig.apps["vm1"].port)
        with pytest.raises(NotAllowed):
            rig.powerless.drain("shop", "vm0")
        with pytest.raises(NotAllowed):
            rig.powerless.remove_member("shop", "vm0")

        assert [(m.name, m.state) for m in rig.hook.members("shop")] == [("vm0", "up")]

    def test_no_answer_is_no_empty_pool(self, rig: Rig) -> None:
        """A VM would be terminated that still serves, or a pool filled a second time."""
        rig.add("vm0")

        rig.stop()

        errors = {verb: type(error_of(act)) for verb, act in rig.verbs().items()}
        assert errors == dict.fromkeys(errors, Unreachable)

    def test_no_verb_waits(self, rig: Rig) -> None:
        """It would hold up a worker, or every other wait of the triggerer."""
        rig.join("vm0")
        rig.apps["vm1"].healthy = False
        client = rig.open_request("vm0")

        acts = {**rig.verbs(), "a new member": lambda: rig.add("vm1")}
        slow = {act: took for act in acts if (took := seconds(acts[act])) > QUICK_S}

        assert slow == {}
        client.end()

    def test_it_is_looked_at_often_enough(self, rig: Rig) -> None:
        """What is older than 5 s is taken by the watch for time that a member was down."""
        assert 0 < rig.hook.look_every_s <= 5


def at_once(act: Callable[[], Outcome], callers: int = 4) -> list[Outcome]:
    """Return what several get who do the same at the same moment."""
    ready = Barrier(callers)

    def call(_: int) -> Outcome:
        ready.wait(10)
        return act()

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(call, range(callers)))


def in_maintenance(rig: Rig) -> OpenRequest:
    """Have a member that could not leave yet; return the client that keeps it."""
    rig.join("vm0")
    client = rig.open_request("vm0")
    with pytest.raises(Busy):
        rig.hook.remove_member("shop", "vm0")
    assert rig.one("vm0").state == "maint"
    return client


def timeless(members: tuple[Member, ...]) -> list[Member]:
    return [replace(member, since_s=0) for member in members]


def forget(hook: Balancer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have its module loaded anew, so that it remembers as little as in another process."""
    name = type(hook).__module__
    package, _, last = name.rpartition(".")
    monkeypatch.setattr(sys.modules[package], last, sys.modules[name])  # put back at the end
    monkeypatch.delitem(sys.modules, name)


def seconds(act: Callable[[], object]) -> float:
    """Return how long it takes until an act is done, or refused as too early."""
    begin = time.monotonic()
    with suppress(Busy):
        act()
    return time.monotonic() - begin
