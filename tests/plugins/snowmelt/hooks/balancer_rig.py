"""What the tests of any balancer are made with: it, two applications behind it, and clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import requests

from include.facts import Member
from include.verdict import Outcome
from snowmelt.errors import Busy, SnowmeltError
from snowmelt.hooks.balancer import Balancer, balancer_for
from tests.plugins.snowmelt.hooks.servers import App, until

Get = Callable[..., requests.Response]


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A balancer with two pools that nobody has joined yet, and two applications on 127.0.0.1.

    The pool "shop" has sticky sessions (cookie SESSIONID), "plain" has none.
    """

    conn_id: str
    powerless_id: str  # of an account that may look, and change nothing
    apps: Mapping[str, type[App]]  # by the member that each is: "vm0" and "vm1"
    get: Get  # a client's request to "shop": get(path, **cookies)
    by_hand: Callable[[], object]  # an administrator adds a member to "shop", in his own way
    restart: Callable[[], None]  # starts the balancer anew; its members are in it again
    stop: Callable[[], None]  # its API does not answer any more; one that is HTTP says 503

    @property
    def hook(self) -> Balancer:
        """A hook for one act or look, as operators and triggers make them: it has no memory."""
        return balancer_for(self.conn_id)

    @property
    def powerless(self) -> Balancer:
        """The same of an account that may change nothing."""
        return balancer_for(self.powerless_id)

    def add(self, name: str, pool: str = "shop", app: str = "") -> Outcome:
        """Add a member, which is the application of its name, or another one."""
        return self.hook.ensure_member(pool, name, "127.0.0.1", self.apps[app or name].port)

    def join(self, *names: str, pool: str = "shop") -> None:
        for name in names:
            self.add(name, pool)
        for name in names:
            self.wait_for(name, "up", pool)

    def wait_for(self, name: str, state: str, pool: str = "shop") -> None:
        until(lambda: self.one(name, pool=pool).state == state)

    def one(self, name: str, idle_s: float = 60.0, pool: str = "shop") -> Member:
        return next(each for each in self.hook.members(pool, idle_s) if each.name == name)

    def names(self) -> list[str]:
        """Return who is in the pool "shop"."""
        return [each.name for each in self.hook.members("shop")]

    def removed(self, name: str, cut: bool = False) -> bool:
        """Try to take a member out, as its caller does again and again."""
        try:
            self.hook.remove_member("shop", name, cut)
        except Busy:
            return False
        return True

    def open_request(self, name: str) -> OpenRequest:
        """Return a client whose request is being answered by *name*, the only one that is up."""
        client = OpenRequest(self.apps[name], self.get)
        until(lambda: self.one(name).connections == 1)
        return client

    def verbs(self, pool: str = "shop", name: str = "vm0") -> dict[str, Callable[[], object]]:
        """Return all that can be asked of a balancer, to be called one after the other."""
        port = self.apps["vm0"].port
        return {
            "members": lambda: self.hook.members(pool),
            "members_of": lambda: self.hook.members_of([pool]),
            "ensure_member": lambda: self.hook.ensure_member(pool, name, "127.0.0.1", port),
            "drain": lambda: self.hook.drain(pool, name),
            "undrain": lambda: self.hook.undrain(pool, name),
            "remove_member": lambda: self.hook.remove_member(pool, name),
        }


class OpenRequest:
    """A client that has asked, and is answered when the test says so."""

    def __init__(self, app: type[App], get: Get) -> None:
        app.may_answer.clear()
        self._app, self._get = app, get
        self._status: Future[int] = ThreadPoolExecutor(1).submit(self._ask)

    def _ask(self) -> int:
        try:
            return self._get("/slow").status_code
        except requests.RequestException:
            return 0

    def end(self) -> int:
        """Let it be answered; return the status that the client has got, 0 where it was cut off."""
        self._app.may_answer.set()
        return self._status.result()


def error_of(act: Callable[[], object]) -> SnowmeltError | None:
    """Return what an act ends with where it fails."""
    try:
        act()
    except SnowmeltError as error:
        return error
    return None
