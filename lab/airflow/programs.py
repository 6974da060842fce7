"""Command lines: what runs as whom, in which namespaces."""

from __future__ import annotations

import sys

from lab.airflow.place import LAB_UID, Place

NAMES = ("api-server", "scheduler", "dag-processor", "triggerer")

AS_LAB = ("setpriv", f"--reuid={LAB_UID}", f"--regid={LAB_UID}", "--clear-groups")

# A process namespace of its own for each: when its first process dies, the kernel kills every
# worker and task that it has started. systemd does the same with a unit's control group. Without
# it the workers of a killed scheduler live on and keep its database locks (a run was seen wedged
# for more than five minutes).
ALONE = ("unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--")


def inside(place: Place, *program: str) -> list[str]:
    """Return the command that runs *program* in the lab's network with the checkout mounted."""
    enter = ("ip", "netns", "exec", place.netns, sys.executable, "-m", "lab.airflow.inside")
    return [*enter, str(place.checkout), str(place.mount), "--", *program]


def as_lab(place: Place, *arguments: str) -> list[str]:
    """Return the command of a Python program of the user `lab`, run through `inside`."""
    return inside(place, *AS_LAB, str(place.python), *arguments)


def airflow(place: Place, name: str) -> list[str]:
    """Return what the supervisor runs for one of Airflow's processes; it is inside already."""
    # The change of user clears the death signal that `unshare` has set, so it is set once more.
    user = (*AS_LAB, "--pdeathsig", "KILL")
    return [*ALONE, *user, str(place.python), "-m", "airflow", name]
