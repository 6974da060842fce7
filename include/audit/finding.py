"""One thing that is not as it should be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

Kind = Literal["orphan", "drift", "held", "twin", "dead", "foreign"]
# What mends it, in the order in which it is done: out of the pool before anything else, and what
# stands in the way of a name goes before the name is published again.
Act = Literal[
    "remove member",
    "terminate VM",
    "remove host",
    "remove certificate",
    "deactivate node",
    "remove entry",
    "remove names",
    "publish names",
    "open firewall",
    "monitor VM",
    "rollout",  # replaces what is not whole, fills empty slots
    "replace VM",  # a rollout of its slot: the VM itself serves
    "nothing",
]
ACTS: tuple[Act, ...] = get_args(Act)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What an audit found, before anybody asks how old it is.

    orphan: a trace whose VM is gone. drift: a living VM that some system knows wrongly or not at
    all. held: a VM that was made and never released, an image that nothing uses. twin: a second VM
    in one place. dead: a VM that should serve and does not. foreign: somebody else's, next to ours.
    """

    system: str
    thing: str  # with its system the identity: the same words at every audit
    kind: Kind
    reason: str
    service: str = ""
    name: str = ""  # of the VM that it belongs to
    act: Act = "nothing"
    address: str = ""
    vm_id: int | None = None
    release: str = ""  # to come back at, where nobody serves who could tell
    since: datetime | None = None  # known from the thing itself; else since an audit first saw it
    doubt: str = ""  # why it may not be ours; such a thing is never touched

    @property
    def key(self) -> str:
        """Say what it is, the same at every audit."""
        return f"{self.system}: {self.thing}: {self.kind}"

    @property
    def vanished(self) -> bool:
        """Whether it is a VM that OpenNebula does not have any more, and that is missed."""
        return self.kind == "dead" and self.vm_id is None

    @property
    def broken(self) -> bool:
        """Whether only a new VM mends it."""
        return self.act in ("rollout", "replace VM") and self.kind != "twin"
