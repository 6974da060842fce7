"""The frozen values between which the planner decides: seen, wanted and plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal, Self

from include.facts import HostHealth, Member, Scope, VmPhase
from include.planner.moves import Move, story

Replace = Literal["all", "outdated", "none"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    """A value that travels through XCom as plain JSON."""

    def to_json(self) -> dict[str, Any]:
        """Return the value as dicts, tuples, strings, numbers and None."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the value that `to_json` made *data* of."""
        return cls(**data)


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenVm:
    """One VM of the service, as all systems together show it."""

    name: str
    fqdn: str
    slot: int  # from the name: a guest can overwrite its attributes, not its name
    rollout: str  # from the name too
    release: str
    vm_id: int
    address: str
    phase: VmPhase
    state: str  # OpenNebula's own word, for messages
    created_at: datetime
    message: str = ""
    in_dns: bool = False
    enrolled: bool = False  # its certificate is signed and not revoked
    let_in: bool = True  # the firewall, where the service has one, lets its users in to it
    health: HostHealth | None = None  # None: monitoring does not know it
    member: Member | None = None  # None: no pool lists it


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreign:
    """A VM that is half ours. It is never touched."""

    name: str
    vm_id: int
    why: str
    blocking: bool  # it stands under one of our names, so something of ours may go wrong


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One service as all systems show it."""

    vms: tuple[SeenVm, ...] = ()
    foreign: tuple[Foreign, ...] = ()
    unreadable: tuple[str, ...] = ()  # a sentence for each system that could not be read
    next_id: int = 0  # no VM that is not here yet gets a lower vm_id; 0: nobody asked

    @property
    def complete(self) -> bool:
        """Whether every system could be read."""
        return not self.unreadable

    def get(self, name: str) -> SeenVm | None:
        """Return the VM of that name; of twins the one with the lowest id."""
        twins = [vm for vm in self.vms if vm.name == name]
        return min(twins, key=lambda vm: vm.vm_id, default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted(Data):
    """What a run asks for."""

    release: str | None = None  # None: the one that serves, else the catalogue's
    replicas: int | None = None  # None: the catalogue's, or the slots in use where those are more
    replace: Replace = "all"
    slots: tuple[int, ...] = ()  # replace only the VMs in these; none: in all of them
    force: bool = False
    reason: str = ""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Return what the form of a run says; its empty fields mean the default."""
        given = {f.name: params[f.name] for f in fields(cls) if f.name in params}
        given["slots"] = tuple(given.get("slots") or ())
        return cls(**{key: value for key, value in given.items() if value not in ("", None)})


@dataclass(frozen=True, kw_only=True, slots=True)
class NewVm(Data):
    """A VM that the rollout brings to life."""

    name: str
    fqdn: str
    slot: int
    release: str
    canary: bool
    vm_id: int | None  # set when an earlier attempt of this rollout made it
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OldVm(Data):
    """A VM that the rollout takes out for good."""

    name: str
    fqdn: str
    slot: int
    rollout: str
    release: str
    vm_id: int
    address: str
    serving: bool  # it took traffic when the plan was made
    reason: str
    enrolled: bool = True  # it had a signed certificate then; plans from before this do not say
    port: int | None = None  # in its pool, as it was then; the file may name another by now
    drained: bool = False  # it is whole but for a drain, by an earlier attempt of this rollout

    @property
    def is_way_back(self) -> bool:
        """Whether it is to serve again where the rollout is taken back."""
        return self.serving or self.drained


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptVm(Data):
    """A VM that stays as it is."""

    name: str
    fqdn: str
    slot: int
    release: str
    vm_id: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair(Data):
    """One replacement of a rolling rollout: first the new VM comes, then the old one goes."""

    new: str | None  # its name; None: a VM only goes
    old: int | None  # its vm_id; None: a VM only comes


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan(Data):
    """The decision: which VMs come, which go, which stay, and why."""

    service: str
    rollout: str
    release: str
    replicas: int
    strategy: str
    replace: Replace
    reason: str
    new: tuple[NewVm, ...] = ()
    leftovers: tuple[OldVm, ...] = ()  # take no traffic and go first: they take up room
    old: tuple[OldVm, ...] = ()  # take traffic, or nobody can say: they go last
    kept: tuple[KeptVm, ...] = ()
    pairs: tuple[Pair, ...] = ()  # rolling only: the replacements in the order of their turns
    notes: tuple[str, ...] = ()
    before: tuple[int, ...] = ()  # vm_ids of the service when it was planned
    since: int = 0  # the vm_id that OpenNebula would have given out next; 0: nobody asked

    @property
    def scope(self) -> Scope:
        """Where the VMs of this service are, from its plan on."""
        return Scope(ids=frozenset(self.before), since=self.since)

    @property
    def moves(self) -> tuple[Move, ...]:
        """All moves of the rollout, in order."""
        return story(self)

    @property
    def watched(self) -> tuple[str, ...]:
        """The VMs whose health decides after the switch: the new ones, else those that stay."""
        return tuple(vm.name for vm in self.new) or tuple(vm.name for vm in self.kept)

    @property
    def going(self) -> tuple[str, ...]:
        """The names of which nothing is left in the end.

        A failed VM of an earlier attempt of this rollout leaves its name to a new one.
        """
        taken_on = {vm.name for vm in self.new}
        return tuple(vm.name for vm in (*self.old, *self.leftovers) if vm.name not in taken_on)

    @property
    def nothing_to_do(self) -> bool:
        """Whether what is seen is what is wanted."""
        return not (self.new or self.leftovers or self.old)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the plan that `to_json` made *data* of."""
        parts = {"new": NewVm, "leftovers": OldVm, "old": OldVm, "kept": KeptVm, "pairs": Pair}
        lists = {key: tuple(kind(**vm) for vm in data.get(key, ())) for key, kind in parts.items()}
        texts = {"notes": tuple(data["notes"]), "before": tuple(data.get("before", ()))}
        return cls(**{**data, **lists, **texts})
