"""The event bus: what is published, and the PUB socket it goes through."""

import base64
import logging
import queue
import threading
from xml.sax.saxutils import escape

import zmq

from lab.opennebula.attrs import plain
from lab.opennebula.errors import OneError
from lab.opennebula.model import Vm
from lab.opennebula.names import LCM_STATES, STATES
from lab.opennebula.world import World

log = logging.getLogger(__name__)


def _silent(method: str) -> bool:
    """Reads make no event; infoset and monitoring do, with the whole answer inside."""
    return method.endswith((".info", ".infoextended")) or method.startswith("one.system.")


def _parameters(direction: str, values: list[object]) -> str:
    return "".join(
        "<PARAMETER>"
        + plain("POSITION", n)
        + plain("TYPE", direction)
        + plain("VALUE", _shown(value, direction))
        + "</PARAMETER>"
        for n, value in enumerate(values, 1)
    )


def _shown(value: object, direction: str) -> object:
    if isinstance(value, bool):
        return str(value).lower() if direction == "OUT" else int(value)
    return value


def api_event(world: World, method: str, args: list[object], result: object) -> None:
    """Publish a call that ended. The session is masked; everything else is in clear."""
    if _silent(method):
        return
    failed = isinstance(result, OneError)
    answer: list[object] = [not failed, result, 0]
    if isinstance(result, OneError):
        answer = [False, f"[{method}] {result.text}", result.code, result.oid]
    content = (
        "<HOOK_MESSAGE><HOOK_TYPE>API</HOOK_TYPE>"
        + plain("CALL", method)
        + "<CALL_INFO>"
        + plain("RESULT", int(not failed))
        + f"<PARAMETERS>{_parameters('IN', ['****', *args])}{_parameters('OUT', answer)}"
        + "</PARAMETERS><EXTRA></EXTRA></CALL_INFO></HOOK_MESSAGE>"
    )
    world.publish(f"EVENT API {method} {int(not failed)}", content)


def state_event(world: World, vm: Vm, vm_xml: str) -> None:
    """Publish a new state of a VM: two topics with a trailing blank, a third with SERVICE_ID."""
    state, lcm = STATES[vm.state], LCM_STATES[vm.lcm]
    service = vm.user_template.text("SERVICE_ID")
    host = vm.placed.hostname if vm.placed else ""
    content = (
        "<HOOK_MESSAGE><HOOK_TYPE>STATE</HOOK_TYPE><HOOK_OBJECT>VM</HOOK_OBJECT>"
        + plain("STATE", state)
        + plain("LCM_STATE", lcm)
        + plain("RESOURCE_ID", vm.id)
        + (plain("SERVICE_ID", service) if service else "")
        + (f"<REMOTE_HOST>{escape(host)}</REMOTE_HOST>" if host else "<REMOTE_HOST/>")
        + f"{vm_xml}</HOOK_MESSAGE>"
    )
    world.publish(f"EVENT VM {vm.id}/{state}/{lcm} ", content)
    world.publish(f"EVENT STATE VM/{state}/{lcm}/{vm.id} ", content)
    if service:
        world.publish(f"EVENT SERVICE {service} ", content)


class Bus:
    """The PUB socket. Two frames a message: topic, base64 on one line. No replay."""

    def __init__(self, address: str) -> None:
        self._queue: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(address)
        self.address = str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT))
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def publish(self, topic: str, content: str) -> None:
        """Hand over a message; order is kept, nobody waits."""
        self._queue.put((topic, content))

    def stop(self) -> None:
        """Publish what is queued, then close."""
        self._queue.put(None)
        self._thread.join()
        self._socket.close()
        self._context.term()

    def _run(self) -> None:
        while (message := self._queue.get()) is not None:
            topic, content = message
            frames = [topic.encode(), base64.b64encode(content.encode())]
            self._socket.send_multipart(frames)
