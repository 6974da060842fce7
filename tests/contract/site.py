"""What the endpoint under test is: who we are there, and which of its parts scenarios may use."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.contract import tree, wire


@dataclass(frozen=True)
class Site:
    """One endpoint. Ids of hosts and datastores are those with dummy drivers, in order of age."""

    url: str
    session: str
    admin: bool = True
    hosts: tuple[int, ...] = (0, 1, 2)
    image_datastore: int = 100
    system_datastore: int = 101
    onegate: str = ""
    events: str = ""
    switches: Path | None = None
    facts: frozenset[str] = field(default_factory=frozenset)

    @property
    def user(self) -> str:
        """The name we work under."""
        return self.session.partition(":")[0]


def read_auth(auth: str) -> str:
    """ONE_AUTH: `user:password`, or the path of a file that holds it."""
    return auth if ":" in auth else Path(auth).expanduser().read_text().strip()


def discover(url: str, session: str, **more: object) -> Site:
    """Look around at an endpoint; changes nothing there. AssertionError when it refuses us."""
    me = _document(url, session, "one.user.info", -1)
    admin = me.value("GID") == "0"
    hosts = _document(url, session, "one.hostpool.info").children if admin else []
    stores = _document(url, session, "one.datastorepool.info").children if admin else []
    dummy = [_id(host) for host in hosts if host.value("VM_MAD") == "dummy"]
    return Site(
        url,
        session,
        admin=admin,
        hosts=tuple(sorted(dummy)),
        image_datastore=_store(stores, "0", "DS_MAD"),
        system_datastore=_store(stores, "1", "TM_MAD"),
        **more,  # type: ignore[arg-type]
    )


def _store(stores: list[tree.Node], kind: str, driver: str) -> int:
    """The newest dummy datastore of a type (0 images, 1 system), -1 when there is none."""
    fit = [s for s in stores if s.value("TYPE") == kind and s.value(driver) == "dummy"]
    return max((_id(store) for store in fit), default=-1)


def _id(node: tree.Node) -> int:
    return int(node.value("ID") or -1)


def _document(url: str, session: str, method: str, *params: wire.Param) -> tree.Node:
    status, body = wire.post(url, wire.encode(method, [session, *params]))
    answer = wire.decode(status, body)
    assert answer.ok, f"{method} as {session.partition(':')[0]}: {answer}"
    return tree.parse(answer.value)
