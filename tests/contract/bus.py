"""The event bus, listened to or read from its recording, and the comparison of both."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import zmq

from tests.contract import calls, recorded, tree
from tests.contract.cloud import Cloud
from tests.contract.compare import tree_differences

Message = list[str]
CALLS = re.compile(r"EVENT API (\S+) ([01])$")
SETTLE = 0.5  # seconds: a subscription is in force only when the publisher has seen it
QUIET = 1.0  # seconds without a message after which a life is over


@dataclass
class Listener:
    """Collects messages of two frames while a scenario works."""

    cloud: Cloud
    socket: zmq.Socket[bytes] | None = None
    messages: list[Message] = field(default_factory=list)

    def messages_of(self, recorded_vm: int) -> list[Message]:
        """What was published about one of our VMs, ids translated to the recorded one's."""
        if self.socket is None:
            return published()
        while self.socket.poll(int(QUIET * 1000)):
            self.messages.append([frame.decode() for frame in self.socket.recv_multipart()])
        live = calls.bound("vm", recorded_vm, self.cloud.known)
        mine = [message for message in self.messages if _about(message, live)]
        return [[_translated(m[0], live, recorded_vm), *m[1:]] for m in mine]


@contextmanager
def listening(cloud: Cloud) -> Iterator[Listener]:
    """A subscriber to everything, from before the first call to after the last."""
    if not cloud.live:
        yield Listener(cloud)
        return
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    subscriber = context.socket(zmq.SUB)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"")
    subscriber.connect(cloud.site.events)
    time.sleep(SETTLE)
    try:
        yield Listener(cloud, subscriber)
    finally:
        subscriber.close(linger=0)
        context.term()


def published() -> list[Message]:
    """The recorded messages of VM 24, in order."""
    files = sorted((recorded.FOLDER / "zmq").glob("*.frames.json"))
    return [json.loads(path.read_text())["frames"] for path in files]


def compare(cloud: Cloud, seen: list[Message]) -> None:
    """Frames, topics and their order, and the structure of each document."""
    wanted = published()
    assert all(len(message) == 2 for message in seen), "every message has two frames"
    topics = [[message[0] for message in messages] for messages in (wanted, seen)]
    assert topics[1] == topics[0], "\n".join(["expected, then got:", *map(str, topics)])
    for one, two in zip(wanted, seen, strict=True):
        assert re.fullmatch(r"[A-Za-z0-9+/]+=*", two[1]), f"{two[0]}: one line of base64"
        found = tree_differences(_document(one), _document(two, cloud.known.prefix), cloud.known)
        assert not found, f"{two[0]!r}:\n  " + "\n  ".join(found)


def _document(message: Message, prefix: str = "") -> tree.Node:
    text = base64.b64decode(message[1], validate=True).decode()
    return tree.parse(text.replace(prefix, "") if prefix else text)


def _about(message: Message, live: int) -> bool:
    """State and SERVICE events name the VM inside; calls carry its id, or made it."""
    topic, content = message[0], base64.b64decode(message[1]).decode()
    if CALLS.match(topic):
        return topic.split()[2] in INTERESTING and f"<VALUE>{live}</VALUE>" in content
    return f"<RESOURCE_ID>{live}</RESOURCE_ID>" in content


INTERESTING = {"one.template.instantiate", "one.vm.update", "one.vm.action"}


def _translated(topic: str, live: int, recorded_vm: int) -> str:
    if topic.startswith("EVENT VM "):
        return topic.replace(f"VM {live}/", f"VM {recorded_vm}/")
    if topic.startswith("EVENT STATE "):
        return topic.replace(f"/{live} ", f"/{recorded_vm} ")
    return topic
