"""A scenario's hand on a cloud: repeats recorded calls, compares, and removes what it made."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

from tests.contract import calls, recorded, tree, wire
from tests.contract.calls import Unbound
from tests.contract.compare import Known, differences
from tests.contract.site import Site
from tests.contract.switches import Switches
from tests.contract.transport import Transport
from tests.contract.wire import Answer, Param

DEADLINE = 45.0  # seconds for a state to come: a scheduler window is 10, a retry rarely needed
POLL = 0.1
RECORDED_PASSWORD = "airflow-pw"
REFUSAL = ["boolean", "string", "i4", "i4", "i8"]
MISSING_TEXT = {
    "vm": r"Error getting virtual machine \[\d+\].",
    "template": r"Error getting virtual machine template \[\d+\].",
    "image": r"Error getting image \[\d+\].",
    "vn": r"Error getting virtual network \[\d+\].",
}
DENIED_TEXT = r"User \[\d+\] : Not authorized to perform (USE|MANAGE|ADMIN) VM \[\d+\]\."


class Cloud:
    """One scenario's view of one endpoint. Names get `prefix`; ids of recordings are translated."""

    def __init__(self, transport: Transport, site: Site, prefix: str, password: str) -> None:
        self.transport, self.site, self.password = transport, site, password
        self.known = Known(prefix, site.user)
        self.token = ""
        self.made: list[tuple[str, int]] = []
        self.seen: list[tuple[str, int]] = []  # method and code of every compared answer
        self.texts: set[str] = set()  # recordings of other kinds (HTTP, OneGate) that were used
        self.switches = Switches(site.switches if transport.live else None, prefix)
        self._bind_site()

    @property
    def live(self) -> bool:
        """False when the recordings themselves answer."""
        return self.transport.live

    def _bind_site(self) -> None:
        site, ids = self.site, self.known.ids
        for index in range(3):
            ids["host", index] = site.hosts[index % len(site.hosts)] if site.hosts else index
        ids["datastore", 0] = 0
        ids["datastore", 100], ids["datastore", 101] = site.image_datastore, site.system_datastore
        for kind in ("user", "group", "secgroup"):
            ids[kind, 0] = 0

    # -- calls ---------------------------------------------------------------------------------

    def do(
        self,
        name: str,
        only: Iterable[str] = (),
        ignore: Iterable[str] = (),
        vm: int | None = None,
    ) -> Answer:
        """Repeat a recorded call and fail with the differences of its answer.

        vm: the recorded id of another VM of ours to use in the place of the recorded one.
        """
        method, params = recorded.request(name)
        swap = {} if vm is None else {"vm": vm}
        got = self._send(name, method, params, swap, exact=not swap)
        self._compare(name, got, only, ignore)
        self._bind(method, recorded.answer(name), got)
        return got

    def do_all(self, *names: str) -> None:
        """Repeat several recorded calls in order."""
        for name in names:
            self.do(name)

    def ask(self, like: str, *params: Param, session: str = "SESSION-ADMIN") -> Answer:
        """A call of our own that must be answered in the shape of a recorded one.

        params use recorded ids; the method is that of the recording.
        """
        method, _ = recorded.request(like)
        got = self._send(like, method, [session, *params], {})
        self._compare(like, got, only=("nothing",), ignore=())
        return got

    def ask_as(self, method: str, like: str, *params: Param) -> None:
        """A call of which only a sibling was recorded, `like` it; not part of a replay."""
        if self.live:
            got = self._send(like, method, ["SESSION-ADMIN", *params], {})
            self._compare(like, got, only=("nothing",), ignore=())
        self.seen.append((method, recorded.answer(like).code))

    def ask_action(self, like: str, action: str, vm: int) -> Answer:
        """one.vm.action, answered like a recorded one but for the names of action and state."""
        got = self._send(like, "one.vm.action", ["SESSION-ADMIN", action, vm], {})
        wanted = recorded.answer(like)
        assert (got.ok, got.code) == (wanted.ok, wanted.code), f"{action} of VM {vm}: {got}"
        assert [i.kind for i in got.items] == [i.kind for i in wanted.items], f"{action}: {got}"
        return got

    def ask_missing(self, method: str, missing: int, *params: Param) -> None:
        """A call about an object that does not exist: 0x0400, its id as fourth element."""
        self._ask_refused(method, 0x0400, MISSING_TEXT[method.split(".")[1]], missing, *params)

    def ask_denied(self, method: str, target: int, *params: Param) -> None:
        """A call that the user airflow may not make: 0x0200, and the right that it lacks."""
        self._ask_refused(method, 0x0200, DENIED_TEXT, target, *params)

    def ask_or_missing(self, name: str, live_id: int) -> Answer:
        """A recorded `info` whose object may be gone by the time we ask."""
        method, params = recorded.request(name)
        if not self.live:
            return self.transport.send(name, method, params, False)
        return self.raw(method, live_id)

    def _ask_refused(
        self, method: str, code: int, pattern: str, target: int, *params: Param
    ) -> None:
        if self.live:
            session = "SESSION-USER" if code == 0x0200 else "SESSION-ADMIN"
            got = self._send("", method, [session, target, *params], {})
            kinds = [item.kind for item in got.items]
            assert (got.code, kinds) == (code, REFUSAL), f"{method}: {got}"
            assert re.fullmatch(pattern, got.value.removeprefix(f"[{method}] ")), got
            assert code != 0x0400 or got.items[3].text == str(calls.MISSING[target]), got
        self.seen.append((method, code))

    def until_placed_by_scheduler(self, recorded_id: int) -> None:
        """Wait for RUNNING without placing the VM ourselves."""
        self.until_state(recorded_id, 3, 3)

    def make_vm(
        self, recorded_id: int, name: str, template: int = 0, hold: bool = False, extra: str = ""
    ) -> None:
        """Instantiate the VM that later recordings know by an id but whose making was not kept."""
        like = "templates/20-instantiate-hold"
        got = self.ask(like, template, name, hold, extra, False)
        live = got.number if self.live else recorded_id
        self.known.ids["vm", recorded_id] = live
        self.made.append(("vm", live))

    def place(self, recorded_id: int) -> None:
        """Put a VM on a host at once, without the scheduler."""
        self.ask("vm-actions/60-deploy-from-hold", recorded_id, 0, False, -1)

    def until(self, name: str, only: Iterable[str] = (), ignore: Iterable[str] = ()) -> Answer:
        """Repeat a recorded `info` until the object is in the recorded state, then compare."""
        method, params = recorded.request(name)
        wanted = _states(recorded.answer(name))
        end = time.monotonic() + DEADLINE
        while _states(got := self._send(name, method, params, {})) != wanted:
            assert time.monotonic() < end, f"{name}: state {_states(got)} instead of {wanted}"
            time.sleep(POLL)
        self._compare(name, got, only, ignore)
        return got

    def at_once(self, name: str) -> None:
        """A recorded `info` of a state that lasts a moment: compared if we come in time."""
        method, params = recorded.request(name)
        got = self._send(name, method, params, {})
        if _states(got) == _states(recorded.answer(name)):
            self._compare(name, got, (), ())

    def until_state(self, vm: int, state: int, lcm: int = 0) -> None:
        """Wait for a state of a VM that has no recording of its own."""
        if not self.live:
            return
        end = time.monotonic() + DEADLINE
        while (now := self.states(vm)) != (str(state), str(lcm)):
            assert time.monotonic() < end, f"VM {vm}: state {now} instead of {state}/{lcm}"
            time.sleep(POLL)

    def states(self, vm: int) -> tuple[str | None, str | None]:
        """STATE and LCM_STATE of a VM of ours, by its recorded id."""
        return _states(self.raw("one.vm.info", calls.bound("vm", vm, self.known)))

    def until_value(self, method: str, live_id: int, path: str, value: str | None = None) -> None:
        """Wait until an element of a document has a value, or any value."""
        end = time.monotonic() + DEADLINE
        while self.live:
            now = self.document(method, live_id).value(path)
            if now is not None and value in {None, now}:
                return
            assert time.monotonic() < end, f"{method} {live_id}: {path} is {now}, not {value}"
            time.sleep(POLL)

    def document(self, method: str, *params: Param) -> tree.Node:
        """A document of the live endpoint for a check that no recording can make."""
        answer = self.raw(method, *params)
        assert answer.ok, f"{method}{params}: {answer}"
        return tree.parse(answer.value)

    def raw(self, method: str, *params: Param) -> Answer:
        """A call with live ids as the admin, compared with nothing."""
        return self.raw_as(self.site.session, method, *params)

    def raw_as(self, session: str, method: str, *params: Param) -> Answer:
        """The same with any session."""
        return wire.decode(*wire.post(self.site.url, wire.encode(method, [session, *params])))

    # -- inside --------------------------------------------------------------------------------

    def _send(
        self,
        name: str,
        method: str,
        params: list[Param],
        swap: dict[str, int],
        exact: bool = False,
    ) -> Answer:
        kinds = (*calls.PARAMETERS.get(method, ()), *[""] * len(params))
        sent: list[Param] = [self._session(str(params[0]))] if params else []
        for kind, param in zip(kinds, params[1:], strict=False):
            param = swap.get(kind, param)
            mine = kind == "password" and param == RECORDED_PASSWORD
            sent.append(self.password if mine else calls.live(kind, param, self.known))
        return self.transport.send(name, method, sent, exact)

    def _session(self, placeholder: str) -> str:
        user = f"{self.known.prefix}airflow"
        return {
            "SESSION-ADMIN": self.site.session,
            "SESSION-WRONG-PASSWORD": f"{self.site.user}:wrong-{self.password}",
            "SESSION-UNKNOWN-USER": f"{self.known.prefix}nobody:x",
            "SESSION-WITHOUT-COLON": self.site.user,
            "SESSION-USER": f"{user}:{self.password}",
            "SESSION-TOKEN": f"{user}:{self.token}",
        }[placeholder]

    def _compare(self, name: str, got: Answer, only: Iterable[str], ignore: Iterable[str]) -> None:
        wanted = recorded.answer(name)
        found = differences(wanted, got, self.known, only, ignore)
        assert not found, f"{name} ({recorded.request(name)[0]}):\n  " + "\n  ".join(found)
        self.seen.append((recorded.request(name)[0], wanted.code))

    def _bind(self, method: str, wanted: Answer, got: Answer) -> None:
        if not wanted.ok or wanted.items[1].kind != "i4":
            return
        kind = calls.MAKES.get(method)
        if kind:
            self.known.ids[kind, wanted.number] = got.number
            self.made.append((kind, got.number))
            return
        about = [
            k for k in calls.PARAMETERS.get(method, ()) if (k, wanted.number) in self.known.ids
        ]
        if about and method != "one.vm.schedadd":
            assert got.number == calls.bound(about[0], wanted.number, self.known), (
                f"{method} answered with object {got.number}, not the one it was asked about"
            )


def _states(answer: Answer) -> tuple[str | None, str | None]:
    """STATE and LCM_STATE of an answered document; of an error its code."""
    if not answer.ok:
        return (f"error {answer.code:#x}", answer.value)
    root = tree.parse(answer.value)
    return root.value("STATE"), root.value("LCM_STATE")


__all__ = ["Cloud", "Unbound"]
