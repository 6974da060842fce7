"""What belongs to this lab: its folder has a mark in it, and its network names the folder.

Nothing is ended or removed for its name alone: somebody else's may have the same.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from lab import net
from lab.settings import NETNS
from lab.steps import StepFailedError

MARK = "snowmelt-lab"  # a file in the folder; it holds the name of the network


class NotOursError(StepFailedError):
    """A folder or a network is there that this lab has not made; the text says what to do."""


def claim(state: Path) -> None:
    """Make the folder and put the mark into it; one that this lab has made before stays as it is.

    Raises:
        NotOursError: the folder has something else in it, or the network is somebody else's.
    """
    check(state)
    state.mkdir(parents=True, exist_ok=True)
    (state / MARK).write_text(f"{NETNS}\n")


def check(state: Path) -> None:
    """Return if the folder and the network are this lab's, or not there.

    Raises:
        NotOursError: one of them is not.
    """
    mark = state / MARK
    if mark.exists():
        network = mark.read_text().strip()
        if network not in {"", NETNS}:  # empty: it was being written when somebody pulled the plug
            raise NotOursError(
                f"{state} has the lab of the network {network} in it, not that of {NETNS}:"
                " set SNOWMELT_LAB_STATE and SNOWMELT_LAB_NETNS together"
            )
    elif state.exists() and any(state.iterdir()):
        raise NotOursError(
            f"{state} is not known to be a lab's: it has no file `{MARK}`, and so it is left alone."
            " The lab of an older Snowmelt is ended by `make lab-down` of that version; after a"
            " reboot nothing of it runs, and the folder may be removed by hand. Any other folder:"
            " give the lab one of its own"
        )
    if why := net.foreign(state):
        raise NotOursError(why)


def forget(state: Path) -> None:
    """Remove the folder: files before folders, and its mark last.

    So what is left by one that was interrupted is known to be ours, and not to be whole.
    """
    if not (state / MARK).exists():
        return
    for each in sorted(state.iterdir(), key=lambda each: each.is_dir()):
        if each.name == MARK:
            continue
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each, ignore_errors=True)
        else:
            with suppress(OSError):
                each.unlink()
    if [each.name for each in state.iterdir()] == [MARK]:
        shutil.rmtree(state, ignore_errors=True)
