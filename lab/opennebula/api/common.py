"""What all kinds of objects can do: rename, chmod, chown, update, lock; how pools are listed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from lab.opennebula.attrs import Attrs
from lab.opennebula.errors import ACTION, INTERNAL, OneError, ParseError
from lab.opennebula.model import Owned, Thing, Vm
from lab.opennebula.registry import Call, method
from lab.opennebula.rights import may, refuse_locked, require
from lab.opennebula.text import parse

T = TypeVar("T", bound=Thing)
_BAD_IN_NAMES = "&|:\\\";/'#{}$<>"
MERGE = 1
_UNFILTERED = ("host", "datastore")  # their pools take no filter


def parsed(text: str, code: int = INTERNAL) -> Attrs:
    """Template text of a call. Raises OneError `code` with the parser's words."""
    try:
        return parse(text)
    except ParseError as error:
        raise OneError(code, str(error)) from error


def taken_name(body: Attrs) -> str:
    """NAME, taken out of the body. Raises OneError INTERNAL when there is none."""
    name = body.text("NAME")
    if not name:
        raise OneError(INTERNAL, "Invalid NAME, it cannot be empty")
    body.discard("NAME")
    return name


def refuse_bad_name(name: str) -> None:
    """Raises OneError ACTION for characters that names may not have."""
    for char in name:
        if char in _BAD_IN_NAMES:
            raise OneError(ACTION, f"Invalid NAME, char '{char}' is not allowed")
    if not name:
        raise OneError(ACTION, "Invalid NAME, it cannot be empty")


def visible(call: Call, things: Iterable[T], who: int) -> list[T]:
    """Filter a pool. who: -4 group, -3 mine, -2 all I may see, -1 mine and my groups', uid."""
    user = call.user
    scopes: dict[int, Callable[[Owned], bool]] = {
        -4: lambda thing: thing.gid == user.gids[0],
        -3: lambda thing: thing.uid == user.id,
        -2: lambda thing: True,
        -1: lambda thing: thing.uid == user.id or thing.gid in user.gids,
    }
    inside: Callable[[Owned], bool] = scopes.get(who) or (lambda thing: thing.uid == who)
    return [
        thing
        for thing in things
        if (not isinstance(thing, Owned) or inside(thing)) and may(call.world, user, "USE", thing)
    ]


def paged(things: list[T], start: int, end: int) -> list[T]:
    """-1,-1 all; a,b ids; a,-1 from id a; offset,-n a page of n."""
    if end < -1:
        first = max(start, 0)
        return things[first : first - end]
    return [t for t in things if t.id >= start and (end < 0 or t.id <= end)]


def pool_xml(tag: str, pieces: Iterable[str]) -> str:
    """A pool around its objects."""
    return f"<{tag}>{''.join(pieces)}</{tag}>"


def register_pool(word: str, kind: str, tag: str, show: Callable[[Call, Thing], str]) -> None:
    """one.<word>pool.info(filter, start, end), newest first."""

    @method(f"one.{word}pool.info", "iii", 0)
    def info(call: Call) -> str:
        who = -2 if kind in _UNFILTERED else call.i(0)
        things = visible(call, call.world.pool(kind).newest_first(), who)
        return pool_xml(tag, (show(call, t) for t in paged(things, call.i(1), call.i(2))))


def register_info(
    word: str, kind: str, show: Callable[[Call, Thing], str], more: str = "b"
) -> None:
    """one.<word>.info(id, decrypt)."""

    @method(f"one.{word}.info", "i" + more, 1)
    def info(call: Call) -> str:
        thing = call.world.pool(kind).get(call.i(0))
        require(call.world, call.user, "USE", thing)
        return show(call, thing)


def register_owned(word: str, kind: str) -> None:
    """rename, chmod, chown, lock and unlock of one kind."""
    _register_rename(word, kind)
    _register_chmod(word, kind)
    _register_chown(word, kind)
    _register_lock(word, kind)


def managed(call: Call, kind: str, right: str = "MANAGE") -> Thing:
    """The object of the first parameter, if the caller has the right and it is not locked."""
    thing = call.world.pool(kind).get(call.i(0))
    require(call.world, call.user, right, thing)
    if isinstance(thing, Owned):
        refuse_locked(call.user, thing, right, kind.upper())
    return thing


def _register_rename(word: str, kind: str) -> None:
    @method(f"one.{word}.rename", "is")
    def rename(call: Call) -> int:
        thing = managed(call, kind)
        refuse_bad_name(call.s(1))
        same = call.world.pool(kind).find(call.s(1))
        if same and same is not thing and not isinstance(thing, Vm):
            raise OneError(ACTION, f"{kind.upper()} name is already taken")
        thing.name = call.s(1)
        call.world.pool(kind).save(thing)
        return thing.id


def _register_chmod(word: str, kind: str) -> None:
    @method(f"one.{word}.chmod", "iiiiiiiiii")
    def chmod(call: Call) -> int:
        thing = managed(call, kind)
        if isinstance(thing, Owned):
            bits = [call.i(position) for position in range(1, 10)]
            thing.perms = [
                new if new >= 0 else old for old, new in zip(thing.perms, bits, strict=True)
            ]
            call.world.pool(kind).save(thing)
        return thing.id


def _register_chown(word: str, kind: str) -> None:
    @method(f"one.{word}.chown", "iii")
    def chown(call: Call) -> int:
        thing = managed(call, kind, "ADMIN" if call.i(1) >= 0 else "MANAGE")
        if isinstance(thing, Owned):
            uid, gid = call.i(1), call.i(2)
            thing.uid = call.world.users.get(uid).id if uid >= 0 else thing.uid
            thing.gid = call.world.groups.get(gid).id if gid >= 0 else thing.gid
            call.world.pool(kind).save(thing)
        return thing.id


def _register_lock(word: str, kind: str) -> None:
    @method(f"one.{word}.lock", "iib", 2)
    def lock(call: Call) -> int:
        thing = managed(call, kind)
        if isinstance(thing, Owned):
            level, when = call.i(1), int(time.time())
            thing.lock = {"LOCKED": level, "OWNER": call.user.id, "TIME": when}
            thing.lock["REQ_ID"] = call.request_id
            call.world.pool(kind).save(thing)
        return thing.id

    @method(f"one.{word}.unlock", "i")
    def unlock(call: Call) -> int:
        thing = call.world.pool(kind).get(call.i(0))
        require(call.world, call.user, "MANAGE", thing)
        if isinstance(thing, Owned):
            thing.lock = {}
            call.world.pool(kind).save(thing)
        return thing.id


def register_update(
    word: str, kind: str, keep: Callable[[Call, Thing, Attrs], None] | None = None
) -> None:
    """one.<word>.update(id, text, 1 = merge | 0 = replace). keep: look at the new template."""

    @method(f"one.{word}.update", "isi", 2)
    def update(call: Call) -> int:
        thing = managed(call, kind)
        body = parsed(call.s(1), ACTION)
        if call.i(2) == MERGE:
            thing.template.merge(body)
        else:
            thing.template = body
        if keep:
            keep(call, thing, body)
        call.world.pool(kind).save(thing)
        return thing.id
