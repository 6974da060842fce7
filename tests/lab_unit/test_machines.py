"""What can be said about VMs without making one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.vm import MachineError, Machines


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    """A folder with the disk of one VM that does not run."""
    (tmp_path / "one-7").mkdir()
    return Machines(tmp_path)


def test_context_survives_quotes_newlines_and_commands(machines: Machines, tmp_path: Path) -> None:
    """A value is text: the shell that reads it must not run any of it."""
    value = 'it\'s "quoted" $(touch /tmp/never) `id` \\ \nand a second line'
    machines.update_context("one-7", {"START_SCRIPT": value})
    file = tmp_path / "one-7/up/var/lib/context/context.sh"

    read = subprocess.run(
        ["sh", "-c", f'. {file}; printf %s "$START_SCRIPT"'],
        capture_output=True,
        text=True,
        check=True,
    )

    assert read.stdout == value
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_no_shell_name_is_left_out(machines: Machines, tmp_path: Path) -> None:
    """It could not be read, and might be read as something else."""
    machines.update_context("one-7", {"A;B": "x", "GOOD": "y"})

    assert (tmp_path / "one-7/up/var/lib/context/context.sh").read_text() == "GOOD=y\n"


def test_a_name_cannot_leave_the_folder(machines: Machines) -> None:
    """Names become paths, and names of cgroups."""
    with pytest.raises(MachineError, match="not a name"):
        machines.destroy("../secrets")


def test_a_stale_pid_is_not_taken_for_the_vm(machines: Machines, tmp_path: Path) -> None:
    """The pid may be somebody else's by now: the start time tells."""
    (tmp_path / "one-7" / "pid").write_text("1 999999999")

    assert machines.exists("one-7")
    assert not machines.is_running("one-7")


def test_running_a_program_in_a_vm_that_is_off_says_so(machines: Machines) -> None:
    """Rather than run it on the host."""
    with pytest.raises(MachineError, match="one-7 does not run"):
        machines.run("one-7", ["true"])
