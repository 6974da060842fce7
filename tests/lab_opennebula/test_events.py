"""The event bus."""

import base64

import zmq

from tests.lab_opennebula.conftest import Front


def _messages(front: Front, last: str) -> list[tuple[str, str]]:
    """Everything up to the topic `last`, of one VM's life."""
    with zmq.Context() as context, context.socket(zmq.SUB) as bus:
        bus.setsockopt(zmq.RCVTIMEO, 5000)
        bus.setsockopt(zmq.LINGER, 0)
        bus.setsockopt(zmq.SUBSCRIBE, b"")
        bus.connect(front.server.bus.address)
        _until_heard(front, bus)
        vm = front.vm(hold=True, extra='SERVICE_ID="7"')
        front.do("one.vm.action", "terminate", vm)
        got: list[tuple[str, str]] = []
        while not got or got[-1][0] != last:
            topic, content = bus.recv_multipart()
            got.append((topic.decode(), base64.b64decode(content).decode()))
        return [message for message in got if "one.vm.rename" not in message[0]]


def _until_heard(front: Front, bus: "zmq.Socket[bytes]") -> None:
    """PUB has no replay: a call that fails is repeated until its event arrives."""
    for _ in range(100):
        front.ask("one.vm.rename", 10**6, "x")
        if bus.poll(50):
            return


def test_topics_of_a_short_life(front: Front) -> None:
    """The state of a new VM comes before the call that made it; the session is masked."""
    got = _messages(front, "EVENT SERVICE 7 ")

    first = next(n for n, (topic, _) in enumerate(got) if topic.startswith("EVENT VM "))
    assert [topic for topic, _ in got[first : first + 3]] == [
        "EVENT VM 0/HOLD/LCM_INIT ",
        "EVENT STATE VM/HOLD/LCM_INIT/0 ",
        "EVENT SERVICE 7 ",
    ]


def test_call_event_has_all_but_the_session(front: Front) -> None:
    """Parameters in clear, **** for the password."""
    got = _messages(front, "EVENT API one.vm.action 1")

    content = dict(got)["EVENT API one.template.instantiate 1"]
    assert "<VALUE>****</VALUE>" in content
    assert "SERVICE_ID=" in content
    assert "oneadmin-pw" not in content
