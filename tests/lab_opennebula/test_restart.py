"""State survives, whatever ends the process."""

import os
import signal
import socket
import subprocess
import sys
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

from tests.lab_opennebula.conftest import NETWORK, PASSWORD, TEMPLATE, start, wait_until


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    """Objects, leases, counters; a VM that was being placed goes on."""
    front = start(tmp_path)
    front.do("one.host.allocate", "h", "dummy", "dummy", 0)
    front.do("one.image.allocate", 'NAME="base" PATH="/image"', 1)
    front.do("one.vn.allocate", NETWORK, -1)
    front.do("one.template.allocate", TEMPLATE)
    wait_until(lambda: front.server.world.images.get(0).state == 1)
    front.switches.set("hang", "boot")
    vm, held = front.vm("vm-0", hold=True), front.vm("vm-1", hold=True)
    front.do("one.vm.deploy", vm, 0, False, -1)
    front.until(vm, 3, 2)
    before = front.do("one.vm.info", held)
    front.server.stop()

    again = start(tmp_path)
    try:
        again.until(vm, 3, 3)
        assert again.do("one.vm.info", held) == before
        assert again.vm("vm-2", hold=True) == held + 1
        assert "<USED_LEASES>3<" in again.do("one.vn.info", 0)
    finally:
        again.server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _process(folder: Path, port: int) -> subprocess.Popen[bytes]:
    (folder / "pw").write_text(PASSWORD)
    anywhere = "127.0.0.1:0"
    arguments = ["--state", str(folder / "state"), "--listen", f"127.0.0.1:{port}"]
    arguments += ["--onegate", anywhere, "--events", "tcp://127.0.0.1:*", "--admin-socket"]
    arguments += [str(folder / "admin"), "--password-file", str(folder / "pw")]
    return subprocess.Popen(
        [sys.executable, "-m", "lab.opennebula", *arguments],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.DEVNULL,
        env=os.environ,
    )


def _ready(port: int) -> Any:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    return xmlrpc.client.ServerProxy(f"http://127.0.0.1:{port}/RPC2")


def test_kill_9_loses_no_answered_call(tmp_path: Path) -> None:
    """What was answered is there; SIGTERM then ends it with 0."""
    session, port = f"oneadmin:{PASSWORD}", _free_port()
    first = _process(tmp_path, port)
    with _ready(port) as one:
        made = [
            one.one.template.allocate(session, f'NAME="t{n}" CPU="1" MEMORY="1"')[1]
            for n in range(20)
        ]
    first.kill()
    first.wait()

    second = _process(tmp_path, port)
    with _ready(port) as one:
        pool = str(one.one.templatepool.info(session, -2, -1, -1)[1])
    second.send_signal(signal.SIGTERM)

    assert made == list(range(20))
    assert pool.count("<VMTEMPLATE>") == 20
    assert second.wait(timeout=10) == 0
