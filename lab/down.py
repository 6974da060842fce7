"""lab-down: end everything that belongs to the lab, however it was left, and remove its traces."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from lab import net
from lab.image import build
from lab.settings import NETNS, Places
from lab.steps import Progress
from lab.up import supervisor
from lab.vm import Machines


def down(places: Places) -> None:
    """Stop VMs, services and whatever else runs in the lab's network; remove network and state.

    Works after a crash of any part: what no supervisor knows any more is found by its network.
    """
    progress = Progress()
    warden = supervisor(places)
    if warden.answers():
        warden.stop("opennebula")  # first, or it would see its machines vanish and react
    _machines(places, progress)
    warden.end()
    progress.say("services stopped")
    _stragglers()
    net.down()
    shutil.rmtree(places.state, ignore_errors=True)
    build.forget_old(places.images)
    progress.say("nothing is left but the image cache")


def _machines(places: Places, progress: Progress) -> None:
    machines = Machines(places.vms)
    names = machines.names()
    for name in names:
        machines.destroy(name)
    if names:
        progress.say(f"{len(names)} VMs destroyed")


def _stragglers() -> None:
    """End all processes that are in the lab's network: asked first, then killed."""
    for number, patience in ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0)):
        for pid in _inside():
            _signal(pid, number)
        deadline = time.monotonic() + patience
        while _inside() and time.monotonic() < deadline:
            time.sleep(0.1)


def _inside() -> list[int]:
    done = subprocess.run(
        ["ip", "netns", "pids", NETNS], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in done.stdout.split() if not _zombie(pid)]


def _zombie(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
