"""lab-down: end everything that belongs to the lab, however it was left, and remove its traces."""

from __future__ import annotations

from lab import net, ours, stragglers
from lab.image import build
from lab.settings import Places
from lab.steps import Progress
from lab.supervisor import supervisor_of
from lab.vm import Machines


def down(places: Places) -> None:
    """Stop VMs, services and whatever else runs in the lab's network; remove network and state.

    Works after a crash of any part: what no supervisor knows any more is found by its network.

    Raises:
        NotOursError: folder or network are not those of a lab, or of another one.
    """
    ours.check(places.state)
    progress = Progress()
    warden = supervisor_of(places)
    if warden.answers():
        warden.stop("opennebula")  # first, or it would see its machines vanish and react
    _machines(places, progress)
    warden.end()
    progress.say("services stopped")
    stragglers.end()
    net.down()
    ours.forget(places.state)
    build.forget_old(places.images)
    progress.say("nothing is left but the image cache")


def _machines(places: Places, progress: Progress) -> None:
    machines = Machines(places.vms)
    names = machines.names()
    for name in names:
        machines.destroy(name)
    if names:
        progress.say(f"{len(names)} VMs destroyed")
