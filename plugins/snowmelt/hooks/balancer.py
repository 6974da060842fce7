"""What Snowmelt asks of any load balancer, and which hook answers for a Connection."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import ClassVar

from include.facts import Member
from include.verdict import Outcome
from snowmelt.hooks.connection import ConnectedHook, hook_for

# conn_type -> where its class is. All that a new one takes: docs/checklists/new-load-balancer.md.
_BALANCERS: dict[str, str] = {"haproxy": "snowmelt.hooks.haproxy:HaproxyHook"}


class Balancer(ConnectedHook, ABC):
    """One load balancer (or one pair that shares its members). This docstring is the contract.

    A *pool* is what the balancer spreads requests over; it exists already, `Missing` otherwise.
    A *member* is one address and port in it, under the name of its VM.

    Rules for every subclass:
    - All verbs are idempotent, also when two callers do the same at once. What holds already is
      `UNCHANGED`; removing what is gone succeeds.
    - What a verb has done shows in `members` when it returns. A member that is still "up" a look
      after its drain began is taken for one whose drain somebody ended, and a VM that is still
      listed after it left is not terminated.
    - A member of our name with another address or port is somebody else's: `Conflict`, never
      overwritten. Two names at one address and port are two members; where the balancer knows them
      by address, the second is a `Conflict`.
    - A new member gets no request before its own health check has passed.
    - A drained member gets no new session and keeps those it has.
    - Nothing here waits. What takes time (`up`, sessions that end) shows in `members`.
    - Each look and each act makes a hook of its own, in whatever process: what has to be remembered
      is kept by the balancer, neither in the hook nor in its module.

    What went wrong: `error_for` is the only place that knows the balancer's codes or texts.
    - `Missing`: there is no such pool, whatever the verb (but `members_of`), or no member to drain.
    - `NotAllowed`: the account may not do this. It ends waits and rollouts, as all that is
      `Refused`: a token that ran out is renewed here first.
    - `Unreachable`: no answer, half of one, a 5xx, a rate limit. `Busy`: it will pass by itself.
      Both are tried again. Every other error is a `Refused`.

    What a `Member` tells:
    - *state*: "up" takes new sessions. "starting": its check has not decided yet, since the member
      is new or the balancer was started anew. "down": its check has failed. "drain": no new
      sessions; one that fails its check meanwhile may show as "down". "maint": takes no part.
    - *since_s*: seconds in its present health, from 0 at each fall and at each return; from 0 at a
      drain and its end too, if the balancer counts so. Required: there is no "cannot tell". The
      watch fails a member that has been up for less time than it was watched, so one that fell
      between two looks must not seem to have been up all the while. Nor may it stay at 0: by it a
      new VM has settled, without which no old one goes, and the proof dates when a VM joined. Where
      it is not told, derive it: from times in the balancer's state, or from a note at the member (a
      comment, a tag) that a look renews after each fall.
    - *connections*: of clients, open now; what the balancer keeps open for itself would hold each
      drain up to its deadline. Where they cannot be counted: 1 for as long as there may be any.
    - *sessions*: sticky ones in use. 0 where none stick: a drain then waits for connections alone.
      Where they stick and are not counted: 1 until nobody was sent to it for *idle_s*.
    - *requests*, *errors*: counted up for each member, from when it joined or the balancer was
      started. A fall of either means "started anew", and so does a fall of all *since_s* at once
      where nobody has had a request: downtimes and errors then count from that look on. Nodes of a
      pair that answer by turns look so at each look, and no watch fails any more: ask the one that
      serves. Where nothing is counted both are always 0, and the watch goes by the state.

    How often it is asked: a process that waits looks at a pool every `look_every_s`, for a drain or
    a watch every second at most, whatever number of VMs waits there; twice as often where they
    began at different times. Those that wait for sessions look apart, a rolling rollout looks every
    2 s for its turn, and the steps of each VM look about ten times beside that.
    """

    # Seconds between two looks of one that waits, up to 5: more is taken for time spent down.
    look_every_s: ClassVar[float] = 0.5

    @abstractmethod
    def members(self, pool: str, idle_s: float | None = None) -> tuple[Member, ...]:
        """Return all members, by name, with the sticky sessions that were used within *idle_s*.

        None: nobody wants to know of sessions, and they are 0. Only a drain does, and they may be
        many.
        """

    @abstractmethod
    def members_of(self, pools: Collection[str]) -> tuple[Member, ...]:
        """Return the members of several pools, by pool and name.

        A pool that is not there has none: the audit asks for those of all services at once. Sticky
        sessions are not counted, all else is as in `members`. Of how many questions to the balancer
        this one call is made is the hook's affair; one for each member would be too many.
        """

    @abstractmethod
    def ensure_member(self, pool: str, name: str, address: str, port: int) -> Outcome:
        """Add a member, or make one that is drained or in maintenance take part again: `CREATED`.

        `UNCHANGED` when it is up already.
        """

    @abstractmethod
    def drain(self, pool: str, name: str) -> Outcome:
        """Give it no new sessions: `REMOVED`. `UNCHANGED` when it drains already.

        One in maintenance takes none anyway: it may stay there, or drain again as on HAProxy.
        """

    @abstractmethod
    def undrain(self, pool: str, name: str) -> Outcome:
        """Give it new sessions again: `CREATED`. From maintenance too, after a good check."""

    @abstractmethod
    def remove_member(self, pool: str, name: str, cut: bool = False) -> Outcome:
        """Take it out; *cut* closes its connections first.

        One that can close none takes it out all the same: they end with the VM, which goes next.
        `Busy` while connections remain: it takes no part any more ("maint"), and the caller tries
        again in a second or two.
        """


def balancer_for(conn_id: str) -> Balancer:
    """Return the hook for a Connection by its type; `Missing` for a type that is no balancer."""
    found: Balancer = hook_for(conn_id, _BALANCERS, "load balancer")
    return found
