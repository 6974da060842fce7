"""An OpenNebula of three calls and a real socket: recorded bodies, and VMs that can be made."""

from __future__ import annotations

import threading
import xmlrpc.client
from collections.abc import Callable, Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

RECORDINGS = Path(__file__).parent / "recordings"
Answer = bytes | Callable[[tuple[Any, ...]], Any]


def recorded(name: str) -> bytes:
    """Return a body that a real oned 7.4.0 sent."""
    return (RECORDINGS / f"{name}.xml").read_bytes()


def recorded_value(name: str) -> str:
    """Return the XML document inside a recorded answer."""
    return str(xmlrpc.client.loads(recorded(name))[0][0][1])  # type: ignore[index]


class FakeOne(ThreadingHTTPServer):
    """Answers each method as `answers` says: a recorded body, or a function of the parameters."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Answer] = {}
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/RPC2"

    def called(self, method: str) -> list[tuple[Any, ...]]:
        return [params for name, params in self.calls if name == f"one.{method}"]

    def answer(self, method: str, params: tuple[Any, ...]) -> bytes:
        with self.lock:
            self.calls.append((method, params))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            known = self.answers[method.removeprefix("one.")]
            return known if isinstance(known, bytes) else _success(known(params[1:]))
        finally:
            with self.lock:
                self.at_once -= 1


class _Handler(BaseHTTPRequestHandler):
    server: FakeOne

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        params, method = xmlrpc.client.loads(body)
        try:
            answer = self.server.answer(str(method), params)
        except RefusalError as refusal:
            answer = _failure(refusal)
        except LostAnswerError:
            return  # the effect is there, the connection just closes
        self.send_response(200)
        self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class RefusalError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class LostAnswerError(Exception):
    pass


def _success(value: Any) -> bytes:
    return _body([True, value, 0])


def _failure(refusal: RefusalError) -> bytes:
    return _body([False, refusal.text, refusal.code, -1, -1])


def _body(array: list[Any]) -> bytes:
    return xmlrpc.client.dumps((array,), methodresponse=True).encode()


class FakeCloud:
    """VMs that can be instantiated on hold, released and terminated; made from recorded ones."""

    def __init__(self, one: FakeOne, owner: str = "airflow") -> None:
        self.owner = owner
        self.vms: dict[int, ElementTree.Element] = {}
        self.before_instantiate: Callable[[], None] = lambda: None
        self.after_instantiate: Callable[[int], None] = lambda vm_id: None
        one.answers.update(
            {
                "templatepool.info": recorded("templates_13-templatepool-info"),
                "template.info": recorded("templates_02-info"),
                "vnpool.info": recorded("vnets_27-vnpool-info"),
                "vmpool.infoextended": self._pool,
                "vmpool.info": self._pool,
                "vmpool.infoset": lambda params: self._pool((), set(params[0].split(","))),
                "vm.info": lambda params: ElementTree.tostring(self._vm(params[0])).decode(),
                "template.instantiate": self._instantiate,
                "vm.action": self._action,
            }
        )

    def add(self, name: str, extra: str = "<TEMPLATE/>", *, state: int = 2, lcm: int = 0) -> int:
        """Put a VM there, as `instantiate` does or a person would; return its id."""
        vm = ElementTree.XML(recorded_value("vm-states_04-pending-sched-message"))
        vm_id = 100 + len(self.vms)
        _set(vm, ID=str(vm_id), NAME=name, UNAME=self.owner, STATE=str(state), LCM_STATE=str(lcm))
        _merge(vm, ElementTree.XML(extra))
        self.vms[vm_id] = vm
        return vm_id

    def state(self, vm_id: int) -> tuple[int, int]:
        vm = self.vms[vm_id]
        return int(vm.findtext("STATE", "")), int(vm.findtext("LCM_STATE", ""))

    def set_state(self, vm_id: int, state: int, lcm: int = 0) -> None:
        _set(self.vms[vm_id], STATE=str(state), LCM_STATE=str(lcm))

    def _vm(self, vm_id: int) -> ElementTree.Element:
        if vm_id not in self.vms:
            raise RefusalError(0x0400, f"[one.vm.info] Error getting virtual machine [{vm_id}].")
        return self.vms[vm_id]

    def _pool(self, params: tuple[Any, ...], only: Collection[str] | None = None) -> str:
        """Return the VMs *only*, or those of (filter, start, end, state): vm-pool/12, 16, 19."""
        pool = ElementTree.Element("VM_POOL")
        ids = [i for i in sorted(self.vms, reverse=True) if only is None or str(i) in only]
        _, start, end, state = params or (-2, -1, -1, -1)
        ids = [i for i in ids if state == -2 or self.state(i)[0] != 6]
        if end < -1:
            ids = ids[start : start - end]
        else:
            ids = [i for i in ids if i >= start and (end == -1 or i <= end)]
        pool.extend(self.vms[vm_id] for vm_id in ids)
        return ElementTree.tostring(pool).decode()

    def _instantiate(self, params: tuple[Any, ...]) -> int:
        _template, name, hold, extra, _persistent = params
        self.before_instantiate()
        vm_id = self.add(name, extra, state=2 if hold else 1)
        self.after_instantiate(vm_id)
        return vm_id

    def _action(self, params: tuple[Any, ...]) -> int:
        action, vm_id = params
        self._vm(vm_id)
        state, lcm = self.state(vm_id)
        if (action, state) == ("release", 2):
            self.set_state(vm_id, 1)
        elif action.startswith("terminate") and state in (1, 2):
            self.set_state(vm_id, 6)
        elif action.startswith("terminate") and (state, lcm) == (3, 3):
            self.set_state(vm_id, 3, 12)
        else:
            raise RefusalError(0x0800, f"This action is not available for state {state}/{lcm}")
        return int(vm_id)


def _set(vm: ElementTree.Element, **values: str) -> None:
    for tag, value in values.items():
        found = vm.find(tag)
        assert found is not None
        found.text = value


def _merge(vm: ElementTree.Element, extra: ElementTree.Element) -> None:
    template, user_template = vm.find("TEMPLATE"), vm.find("USER_TEMPLATE")
    assert template is not None
    assert user_template is not None
    for element in extra:
        target = template if len(element) else user_template
        for old in target.findall(element.tag):
            target.remove(old)
        target.append(element)
