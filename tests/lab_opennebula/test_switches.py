"""Failures on request."""

import contextlib
import http.client
import stat
import threading
import time

import pytest

from lab.opennebula.switches import main
from tests.lab_opennebula.conftest import Front, wait_until

LOST = (ConnectionError, http.client.HTTPException)


def test_lost_answer_after_the_effect(front: Front) -> None:
    """The connection is cut, the VM is there; the next call is answered."""
    front.switches.set("lose-answer", "one.template.instantiate", times=1)

    with pytest.raises(LOST):
        front.vm(hold=True)

    assert len(front.server.world.vms.things) == 1
    front.vm(hold=True)


def test_failed_call_has_no_effect(front: Front) -> None:
    """0x2000, and nothing was made."""
    front.switches.set("fail", "one.template.instantiate", times=1)

    assert front.refused("one.template.instantiate", 0, "x", True, "", False)[0] == 0x2000
    assert not front.server.world.vms.things


def test_hanging_call_lets_go_when_cleared(front: Front) -> None:
    """It never begins; other calls are answered meanwhile."""
    front.switches.set("hang", "one.vmpool.info", times=1)
    ended = threading.Event()

    def hang() -> None:
        with contextlib.suppress(*LOST):
            front.ask("one.vmpool.info", -2, -1, -1, -1)
        ended.set()

    threading.Thread(target=hang).start()
    wait_until(lambda: front.switches.counters()["calls"].get("one.vmpool.info") == 1)
    front.do("one.system.version")
    assert not ended.is_set()
    front.switches.clear()
    assert ended.wait(5)


def test_slow_call_takes_its_time(front: Front) -> None:
    """But is answered."""
    front.switches.set("slow", "one.system.version", times=1, seconds=0.3)
    began = time.monotonic()

    assert front.do("one.system.version") == "7.4.0"
    assert time.monotonic() - began >= 0.3


def test_refused_connections_and_back(front: Front) -> None:
    """Until it is cleared."""
    front.switches.set("refuse", "connect", seconds=0)
    with pytest.raises(ConnectionRefusedError):
        front.do("one.system.version")

    front.switches.clear("connect")
    assert front.do("one.system.version") == "7.4.0"


def test_switch_meets_one_vm_only(front: Front) -> None:
    """By a pattern on its name."""
    front.switches.set("fail", "boot", match="bad-*")
    good, bad = front.vm("good-0"), front.vm("bad-0")

    front.until(good, 3, 3)
    front.until(bad, 3, 36)


def test_image_copy_that_fails(front: Front) -> None:
    """The call succeeds, the image ends in ERROR."""
    front.switches.set("fail", "image", times=1)
    image = front.do("one.image.allocate", 'NAME="broken" PATH="/x"', 1)

    wait_until(lambda: front.server.world.images.get(image).state == 5)


def test_socket_is_private(front: Front) -> None:
    """Nobody but its owner may open it."""
    assert stat.S_IMODE(front.switches.path.stat().st_mode) == 0o600


def test_command_line(front: Front, capsys: pytest.CaptureFixture[str]) -> None:
    """set, list, clear."""
    where = ["--socket", str(front.switches.path)]

    assert main([*where, "set", "fail", "boot", "--times", "2"]) == 0
    assert '"operation": "boot"' in capsys.readouterr().out
    assert main([*where, "clear", "boot"]) == 0
    assert front.switches.list() == []


def test_unknown_kind_is_refused(front: Front) -> None:
    """With the list of those that exist."""
    with pytest.raises(ValueError, match="unknown kind"):
        front.switches.set("explode", "boot")
