"""The table of methods: parameter types, authentication, switches, and the event of each call."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.opennebula import xmlrpc
from lab.opennebula.auth import authenticate
from lab.opennebula.errors import INTERNAL, Fault, OneError
from lab.opennebula.events import api_event
from lab.opennebula.machine import Machine
from lab.opennebula.model import User
from lab.opennebula.switchboard import Switch
from lab.opennebula.wire import LostAnswer
from lab.opennebula.world import World

HANG = 600.0  # seconds at most; a client must have given up long before

_TYPES: dict[str, tuple[type, str, object]] = {
    "i": (int, "integer", -1),
    "s": (str, "string", ""),
    "b": (bool, "boolean", False),
    "l": (list, "array", []),
}


@dataclass
class Call:
    """One call as a handler sees it: who calls, and the checked parameters."""

    world: World
    machine: Machine
    user: User
    method: str
    args: list[object]
    request_id: int

    def i(self, position: int) -> int:
        """The integer parameter at `position` (the session is not counted)."""
        value = self.args[position]
        return value if isinstance(value, int) else 0

    def s(self, position: int) -> str:
        """The string parameter."""
        value = self.args[position]
        return value if isinstance(value, str) else ""

    def b(self, position: int) -> bool:
        """The boolean parameter."""
        return bool(self.args[position])

    def numbers(self, position: int) -> list[int]:
        """The array parameter, as numbers."""
        value = self.args[position]
        return [n for n in value if isinstance(n, int)] if isinstance(value, list) else []


Handler = Callable[[Call], xmlrpc.Answer]


@dataclass(frozen=True)
class Method:
    """types: one letter per parameter; from `required` on they may be left out."""

    handler: Handler
    types: str
    required: int


METHODS: dict[str, Method] = {}


def method(name: str, types: str = "", required: int | None = None) -> Callable[[Handler], Handler]:
    """Register a handler. types: i, s, b, l (array); required: how many must be there."""

    def register(handler: Handler) -> Handler:
        METHODS[name] = Method(handler, types, len(types) if required is None else required)
        return handler

    return register


def find(name: str) -> Method:
    """The method of that name. Raises Fault -506."""
    if name not in METHODS:
        raise Fault(-506, f"Method '{name}' not defined")
    return METHODS[name]


def check(types: str, required: int, given: list[object]) -> list[object]:
    """The parameters, filled up with defaults. Raises Fault -501."""
    if len(given) < required:
        raise Fault(-501, "Not enough parameters")
    values = list(given[: len(types)])
    for letter, value in zip(types, values, strict=False):
        wanted, name, _ = _TYPES[letter]
        if type(value) is not wanted:
            raise Fault(-501, f"Parameter that is supposed to be {name} is not")
    return values + [_TYPES[letter][2] for letter in types[len(values) :]]


class Dispatcher:
    """Bytes of a call in, bytes of its answer out."""

    def __init__(self, world: World, machine: Machine) -> None:
        self.world, self.machine = world, machine
        self._request = itertools.count(secrets.randbelow(10000))

    def __call__(self, body: bytes) -> bytes:
        """Answer one call. Raises LostAnswer when a switch says so."""
        try:
            name, params = xmlrpc.decode_call(body)
            found = find(name)
            session, *args = check("s" + found.types, found.required + 1, params)
        except Fault as error:
            return xmlrpc.fault(error)
        self.world.board.called(name)
        self._strike(name, args)
        answer = self._run(name, found, str(session), args)
        if self._take(name, args, "lose-answer"):
            raise LostAnswer
        return answer

    def _take(self, name: str, args: list[object], *kinds: str) -> Switch | None:
        return self.world.board.take(
            name, next((a for a in args if isinstance(a, str)), ""), *kinds
        )

    def _strike(self, name: str, args: list[object]) -> None:
        """Slow waits and goes on; hang never even begins, until the switches are cleared."""
        found = self._take(name, args, "slow", "hang")
        if found and found.kind == "slow":
            time.sleep(found.seconds)
        elif found:
            self.world.board.wait_for_clear(HANG)
            raise LostAnswer

    def _value(self, name: str, found: Method, session: str, args: list[object]) -> xmlrpc.Answer:
        if self._take(name, args, "fail"):
            raise OneError(INTERNAL, "Failed on purpose by a lab switch")
        user = authenticate(self.world, session)
        call = Call(self.world, self.machine, user, name, args, next(self._request))
        return found.handler(call)

    def _run(self, name: str, found: Method, session: str, args: list[object]) -> bytes:
        with self.world.change():
            result = self._result(name, found, session, args)
        if isinstance(result, OneError):
            return xmlrpc.failure(name, result)
        return xmlrpc.success(result)

    def _result(
        self, name: str, found: Method, session: str, args: list[object]
    ) -> xmlrpc.Answer | OneError:
        held: list[tuple[str, str]] = []
        tell, self.world.publish = self.world.publish, lambda *event: held.append(event)
        result: xmlrpc.Answer | OneError
        try:
            result = self._value(name, found, session, args)
        except OneError as error:
            result = error
        finally:
            self.world.publish = tell
        self._tell(name, args, result, held)
        return result

    def _tell(
        self, name: str, args: list[object], result: object, states: list[tuple[str, str]]
    ) -> None:
        """The call's own event; actions begin after it, a new VM is told before it."""
        early = name == "one.template.instantiate"
        for event in states if early else []:
            self.world.publish(*event)
        api_event(self.world, name, args, result)
        for event in states if not early else []:
            self.world.publish(*event)
