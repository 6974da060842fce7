"""The cloud in memory: pools of objects, one lock, and what has to be written at its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, cast

from lab.opennebula.clock import Clock
from lab.opennebula.errors import missing
from lab.opennebula.model import (
    KINDS,
    Datastore,
    Group,
    Hook,
    Host,
    Image,
    Rule,
    Secgroup,
    Thing,
    User,
    Vm,
    VmTemplate,
    Vnet,
    dump,
    load,
)
from lab.opennebula.store import Store
from lab.opennebula.switchboard import Switchboard

T = TypeVar("T", bound=Thing)


@dataclass(frozen=True)
class Settings:
    """window/retry in seconds; speed divides every waiting time of ours (unit tests: 20)."""

    window: float = 10.0
    window_length: int = 7
    retry: float = 60.0
    speed: float = 1.0
    step: float = 0.1  # how long one step of the dummy driver takes
    shutdown_timeout: float = 60.0
    onegate: str = "http://127.0.0.1:5030"
    endpoint: str = "http://localhost:2633/RPC2"
    vms: Path = Path("vms")


class Pool(Generic[T]):
    """All objects of one kind. label: oned's words for it in "Error getting ..."."""

    def __init__(self, world: World, kind: str, label: str, first: int) -> None:
        self.world, self.kind, self.label, self.first = world, kind, label, first
        self.things: dict[int, T] = {}

    def __iter__(self) -> Iterator[T]:
        return iter(self.things.values())

    def newest_first(self) -> list[T]:
        """Sorted as pools are listed: highest id first."""
        return [self.things[oid] for oid in sorted(self.things, reverse=True)]

    def get(self, oid: int) -> T:
        """The object. Raises OneError NO_EXISTS."""
        thing = self.things.get(oid)
        if thing is None:
            raise missing(self.label, oid)
        return thing

    def find(self, name: str) -> T | None:
        """The oldest object of that name."""
        return next((thing for thing in self.things.values() if thing.name == name), None)

    def next_id(self) -> int:
        """A number that was never used; it is spent even if nothing is made."""
        number = self.world.counters.get(self.kind, self.first)
        self.world.counters[self.kind] = number + 1
        return number

    def save(self, thing: T) -> T:
        """Keep the object, new or changed; it is written when the change ends."""
        self.things[thing.id] = thing
        self.world.dirty[(self.kind, thing.id)] = thing
        return thing

    def remove(self, thing: T) -> None:
        """Forget the object."""
        del self.things[thing.id]
        self.world.dirty[(self.kind, thing.id)] = None


class World:
    """All pools, the lock over them, the clock and the switches."""

    def __init__(self, state: Path, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.lock = threading.RLock()
        self.clock = Clock()
        self.board = Switchboard()
        self.counters: dict[str, int] = {}
        self.dirty: dict[tuple[str, int], Thing | None] = {}
        self.on_saved: list[Callable[[str, int], None]] = []
        self.publish: Callable[[str, str], None] = lambda _topic, _content: None
        self._depth = 0
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.store = Store(state / "one.db")
        self._make_pools()
        self._load()

    def _make_pools(self) -> None:
        self.users: Pool[User] = Pool(self, "user", "user", 0)
        self.groups: Pool[Group] = Pool(self, "group", "group", 100)
        self.rules: Pool[Rule] = Pool(self, "rule", "acl", 0)
        self.hosts: Pool[Host] = Pool(self, "host", "host", 0)
        self.datastores: Pool[Datastore] = Pool(self, "datastore", "datastore", 100)
        self.images: Pool[Image] = Pool(self, "image", "image", 0)
        self.vnets: Pool[Vnet] = Pool(self, "vnet", "virtual network", 0)
        self.secgroups: Pool[Secgroup] = Pool(self, "secgroup", "security group", 100)
        self.templates: Pool[VmTemplate] = Pool(self, "vmtemplate", "virtual machine template", 0)
        self.hooks: Pool[Hook] = Pool(self, "hook", "hook", 0)
        self.vms: Pool[Vm] = Pool(self, "vm", "virtual machine", 0)

    def pool(self, kind: str) -> Pool[Thing]:
        """The pool of a kind in KINDS."""
        return cast(Pool[Thing], self._pools()[kind])

    def _pools(self) -> dict[str, object]:
        found = (value for value in vars(self).values() if isinstance(value, Pool))
        return {pool.kind: pool for pool in found}

    def _load(self) -> None:
        self.counters = self.store.counters()
        pools = {kind: self.pool(kind) for kind in KINDS}
        for kind, oid, body in self.store.objects():
            pools[kind].things[oid] = load(kind, body)

    @contextmanager
    def change(self) -> Iterator[None]:
        """Everything inside is one change: nobody else looks, and it is written at the end.

        Also when it fails: oned too keeps what a refused call used up (numbers, lease positions).
        """
        with self.lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0 and self.dirty:
                    self._commit()

    def _commit(self) -> None:
        dirty, self.dirty = self.dirty, {}
        changed = [(kind, oid, dump(thing)) for (kind, oid), thing in dirty.items() if thing]
        removed = [key for key, thing in dirty.items() if thing is None]
        self.store.write(changed, removed, self.counters)
        for key in dirty:
            for listener in self.on_saved:
                listener(*key)

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Run `callback` later, inside a change of its own. Seconds are divided by the speed."""

        def run() -> None:
            with self.change():
                callback()

        self.clock.after(seconds / self.settings.speed, run)
