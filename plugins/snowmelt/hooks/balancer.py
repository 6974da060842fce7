"""What Snowmelt asks of any load balancer, and which hook answers for a Connection."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection

from include.facts import Member
from include.verdict import Outcome
from snowmelt.hooks.connection import ConnectedHook, hook_for

# conn_type -> where its class is. A new balancer is a module, a line here and one in provider.py.
_BALANCERS: dict[str, str] = {"haproxy": "snowmelt.hooks.haproxy:HaproxyHook"}


class Balancer(ConnectedHook):
    """One load balancer (or one pair that shares its members). This docstring is the contract.

    A *pool* is what the balancer spreads requests over; it exists already, `Missing` otherwise.
    A *member* is one address and port in it, under the name of its VM.

    Rules for every subclass:
    - All verbs are idempotent. What holds already is `UNCHANGED`; removing what is gone succeeds.
    - A member of our name with another address is somebody else's: `Conflict`, never overwritten.
    - A new member gets no request before its own health check has passed.
    - A drained member gets no new session and keeps those it has.
    - Nothing here waits. What takes time (`up`, sessions that end) shows in `members`.
    - `error_for` is the only place that knows the balancer's codes or texts; what may pass by
      itself is `Unreachable` or `Busy`, and every other error is a `Refused`.
    """

    @abstractmethod
    def members(self, pool: str, idle_s: float | None = None) -> tuple[Member, ...]:
        """Return all members, by name, with the sticky sessions that were used within *idle_s*.

        None: nobody wants to know of sessions, and they are 0. Only a drain does, and they may be
        many.
        """

    @abstractmethod
    def members_of(self, pools: Collection[str]) -> tuple[Member, ...]:
        """Return the members of several pools in one call; a pool that is not there has none.

        Sticky sessions are not counted: this is the look of those who only need to know who is in.
        """

    @abstractmethod
    def ensure_member(self, pool: str, name: str, address: str, port: int) -> Outcome:
        """Add a member, or make one that is drained or in maintenance take part again."""

    @abstractmethod
    def drain(self, pool: str, name: str) -> Outcome:
        """Give it no new sessions. `UNCHANGED` when it drains already; `Missing` when not there."""

    @abstractmethod
    def undrain(self, pool: str, name: str) -> Outcome:
        """Give it new sessions again. `Missing` when it is not there."""

    @abstractmethod
    def remove_member(self, pool: str, name: str, cut: bool = False) -> Outcome:
        """Take it out; *cut* closes its connections first.

        `Busy` while connections remain: it takes no part any more, and the caller tries again.
        """


def balancer_for(conn_id: str) -> Balancer:
    """Return the hook for a Connection by its type; `Missing` for a type that is no balancer."""
    found: Balancer = hook_for(conn_id, _BALANCERS, "load balancer")
    return found
