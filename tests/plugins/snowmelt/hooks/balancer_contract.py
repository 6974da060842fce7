"""What is true of any load balancer: the situations that the docstring of `Balancer` speaks of.

A new one's test has a fixture `rig`, and a class `Test…(BalancerContract)` with nothing in it. What
it cannot count, and says so, is left out there by `test_… = None`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import requests

from include.facts import Member
from include.planner import started_anew
from include.verdict import Outcome
from snowmelt.errors import Busy, Conflict, Missing, NotAllowed
from snowmelt.hooks.balancer import Balancer, balancer_for
from tests.plugins.snowmelt.hooks.servers import App, until


@dataclass(frozen=True)
class Rig:
    """A balancer with two pools that nobody has joined yet, and an application on 127.0.0.1.

    The pool "shop" has sticky sessions (cookie SESSIONID), "plain" has none.
    """

    hook: Balancer
    powerless: Balancer  # by an account that may look, and change nothing
    port: int  # of the application
    app: type[App]  # its health and its speed
    get: Callable[..., requests.Response]  # a client's request to "shop": get(path, **cookies)
    restart: Callable[[], None]  # starts the balancer anew; its members are in it again

    def join(self, name: str, pool: str = "shop") -> Outcome:
        outcome = self.hook.ensure_member(pool, name, "127.0.0.1", self.port)
        until(lambda: self.one(name, pool=pool).state == "up")
        return outcome

    def one(self, name: str, idle_s: float = 60.0, pool: str = "shop") -> Member:
        return next(each for each in self.hook.members(pool, idle_s) if each.name == name)

    def removed(self, name: str, cut: bool = False) -> bool:
        """Try to take a member out, as its caller does again and again."""
        try:
            self.hook.remove_member("shop", name, cut)
        except Busy:
            return False
        return True

    def open_request(self, name: str, seconds: float) -> tuple[threading.Thread, list[int]]:
        """Return a client whose request is being answered by *name*, and what it will have got."""
        self.app.seconds = seconds
        answers: list[int] = []
        client = threading.Thread(target=lambda: answers.append(self.get().status_code))
        client.start()
        until(lambda: self.one(name).connections == 1)
        return client, answers


class BalancerContract:
    """Each test is a situation."""

    def test_a_new_member_serves_after_its_check_and_not_before(self, rig: Rig) -> None:
        """Requests until then are refused by the balancer, never sent to the new VM."""
        rig.app.healthy = False

        outcome = rig.hook.ensure_member("shop", "vm0", "127.0.0.1", rig.port)

        assert outcome is Outcome.CREATED
        assert rig.one("vm0").state == "starting"
        assert rig.get().status_code == 503
        until(lambda: rig.one("vm0").state == "down")
        assert rig.one("vm0").requests == 0
        rig.app.healthy = True
        until(lambda: rig.one("vm0").state == "up")
        assert rig.get().status_code == 200

    def test_joining_twice_changes_nothing(self, rig: Rig) -> None:
        """A retry finds the member and leaves it up."""
        rig.join("vm0")

        outcome = rig.hook.ensure_member("shop", "vm0", "127.0.0.1", rig.port)

        assert outcome is Outcome.UNCHANGED
        assert rig.one("vm0").state == "up"

    def test_the_name_with_another_address_is_a_conflict(self, rig: Rig) -> None:
        """The message shows both."""
        rig.join("vm0")

        with pytest.raises(Conflict, match=rf"127\.0\.0\.1:{rig.port}.* 127\.0\.0\.9:80"):
            rig.hook.ensure_member("shop", "vm0", "127.0.0.9", 80)

        assert rig.one("vm0").address == "127.0.0.1"

    def test_a_drained_member_keeps_its_sessions_and_gets_no_new_ones(self, rig: Rig) -> None:
        """The cookie decides."""
        rig.join("vm0")
        cookie = rig.get().cookies["SESSIONID"]

        assert rig.hook.drain("shop", "vm0") is Outcome.REMOVED
        assert rig.hook.drain("shop", "vm0") is Outcome.UNCHANGED

        assert rig.one("vm0").state == "drain"
        assert rig.get(SESSIONID=cookie).status_code == 200
        assert rig.get().status_code == 503

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

        assert rig.join("vm0") is Outcome.CREATED

        assert rig.get().status_code == 200

    def test_a_member_drained_while_down_comes_back(self, rig: Rig) -> None:
        """A balancer may show it as down, and the drain would stay in force unseen."""
        rig.join("vm0")
        rig.app.healthy = False
        until(lambda: rig.one("vm0").state == "down")
        rig.hook.drain("shop", "vm0")

        rig.hook.undrain("shop", "vm0")

        rig.app.healthy = True
        until(lambda: rig.one("vm0").state == "up")

    def test_only_sessions_in_use_count(self, rig: Rig) -> None:
        """A session counts until it was idle for the time that was asked for."""
        rig.join("vm0")
        rig.get()
        rig.get()

        assert rig.one("vm0", idle_s=60).sessions == 2
        assert [member.sessions for member in rig.hook.members("shop")] == [0]  # nobody asked
        until(lambda: rig.one("vm0", idle_s=0.1).sessions == 0)

    def test_a_pool_without_sticky_sessions_has_none(self, rig: Rig) -> None:
        """A drain waits for connections only."""
        rig.hook.ensure_member("plain", "vm0", "127.0.0.1", 1)

        assert [member.sessions for member in rig.hook.members("plain", 60)] == [0]

    def test_requests_and_errors_are_counted(self, rig: Rig) -> None:
        """The watch of a rollout reads these."""
        rig.join("vm0")
        rig.get()
        rig.get("/broken")

        seen = rig.one("vm0")

        assert (seen.requests, seen.errors) == (2, 1)

    def test_counters_fall_when_the_balancer_is_started_anew_and_at_no_other_time(
        self, rig: Rig
    ) -> None:
        """At each fall the watch of a rollout begins to count anew."""
        rig.join("vm0")
        looks = []
        for _ in range(4):
            rig.get()
            looks.append(rig.hook.members("shop"))
        assert not any(map(started_anew, looks, looks[1:]))

        rig.restart()

        until(lambda: rig.one("vm0").state == "up")
        assert started_anew(looks[-1], rig.hook.members("shop"))

    def test_seconds_begin_anew_when_a_member_falls_and_returns(self, rig: Rig) -> None:
        """By them the watch knows a VM that was down between two of its looks."""
        rig.join("vm0")
        until(lambda: rig.one("vm0").since_s >= 2)

        rig.app.healthy = False
        until(lambda: (now := rig.one("vm0")).state == "down" and now.since_s < 2)
        rig.app.healthy = True
        until(lambda: (now := rig.one("vm0")).state == "up" and now.since_s < 2)

    def test_a_member_with_a_running_request_is_not_removed_yet(self, rig: Rig) -> None:
        """Busy until it has ended; then it is removed, and a second time nothing happens."""
        rig.join("vm0")
        client, answers = rig.open_request("vm0", seconds=0.5)

        with pytest.raises(Busy):
            rig.hook.remove_member("shop", "vm0")

        client.join()
        assert answers == [200]
        until(lambda: rig.removed("vm0"))
        assert rig.hook.members("shop") == ()
        assert rig.hook.remove_member("shop", "vm0") is Outcome.UNCHANGED

    def test_a_member_that_could_not_leave_yet_comes_back(self, rig: Rig) -> None:
        """A rollout that fails in between has its old VMs serve again."""
        rig.join("vm0")
        client, _ = rig.open_request("vm0", seconds=0.5)
        with pytest.raises(Busy):
            rig.hook.remove_member("shop", "vm0")
        assert rig.one("vm0").state == "maint"

        assert rig.hook.undrain("shop", "vm0") is Outcome.CREATED

        client.join()
        until(lambda: rig.one("vm0").state == "up")
        assert rig.get().status_code == 200

    def test_connections_are_cut_on_request(self, rig: Rig) -> None:
        """The declared action at the end of a drain deadline."""
        rig.join("vm0")
        client, answers = rig.open_request("vm0", seconds=2.0)

        until(lambda: rig.removed("vm0", cut=True), 1.5)

        client.join()
        assert answers != [200]

    def test_a_member_that_is_not_there_cannot_be_drained(self, rig: Rig) -> None:
        """Removing it succeeds all the same."""
        with pytest.raises(Missing, match="vm9"):
            rig.hook.drain("shop", "vm9")
        with pytest.raises(Missing, match="vm9"):
            rig.hook.undrain("shop", "vm9")
        assert rig.hook.remove_member("shop", "vm9") is Outcome.UNCHANGED

    def test_an_unknown_pool_is_missing(self, rig: Rig) -> None:
        """Somebody has to add it to the balancer's configuration."""
        with pytest.raises(Missing, match="nowhere"):
            rig.hook.members("nowhere")
        with pytest.raises(Missing, match="nowhere"):
            rig.hook.ensure_member("nowhere", "vm0", "127.0.0.1", 80)
        with pytest.raises(Missing, match="nowhere"):
            rig.hook.remove_member("nowhere", "vm0")

    def test_the_members_of_many_pools_come_with_one_call(self, rig: Rig) -> None:
        """A pool that is not there has none: it must not hide the others."""
        rig.join("vm1")
        rig.hook.ensure_member("plain", "vm2", "127.0.0.1", rig.port)

        found = rig.hook.members_of(["shop", "plain", "nowhere"])

        assert [(each.pool, each.name) for each in found] == [("plain", "vm2"), ("shop", "vm1")]
        assert rig.hook.members_of([]) == ()

    def test_what_the_account_may_not_do_is_never_taken_for_done(self, rig: Rig) -> None:
        """An answer that is no success is an error, and one that ends the wait for it."""
        rig.join("vm0")

        with pytest.raises(NotAllowed):
            rig.powerless.ensure_member("shop", "vm1", "127.0.0.1", rig.port)
        with pytest.raises(NotAllowed):
            rig.powerless.drain("shop", "vm0")
        with pytest.raises(NotAllowed):
            rig.powerless.remove_member("shop", "vm0")

        assert [(m.name, m.state) for m in rig.hook.members("shop")] == [("vm0", "up")]

    def test_the_connection_type_picks_it(self, rig: Rig) -> None:
        assert type(balancer_for(rig.hook.conn_id)) is type(rig.hook)

    def test_it_is_looked_at_often_enough(self, rig: Rig) -> None:
        """What is older than 5 s is taken by the watch for time that a member was down."""
        assert 0 < rig.hook.look_every_s <= 5
