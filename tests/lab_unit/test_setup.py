"""tools/setup, with programs in the place of Debian's: nothing of this machine is changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.settings import CHECKOUT

# `sudo` writes down what it was asked to do as root, and does none of it.
PROGRAMS = {
    "id": 'case "$*" in "-u") echo 1000;; *) cat "$THERE/account" 2> /dev/null;; esac',
    "getent": 'case "$1" in passwd) cat "$THERE/holder" 2> /dev/null;; *) exit 2;; esac',
    "sudo": 'echo "$*" >> "$THERE/asked"; case "$1" in tee) cat > /dev/null;; env) shift;'
    ' printf "%s\\n" $PACKAGES >> "$THERE/installed"; for p in $PACKAGES; do'
    ' echo "Setting up $p (1.0) ..."; done;; esac',
    "dpkg-query": 'if [ "$1" = -L ]; then shift; for p in "$@"; do'
    ' grep -qx "$p" "$THERE/installed" && echo "/lib/systemd/system/$p.service"; done; exit 0; fi;'
    ' shift 3; for p in "$@"; do grep -qx "$p" "$THERE/installed" && echo "installed $p"; done;'
    " exit 1",
    "systemctl": "exit 0",
}


class Machine:
    """A checkout with tools/setup on a machine that has what its files say."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.there = folder / "checkout", folder / "there"
        (folder / "bin").mkdir()
        self.there.mkdir()
        for name, body in PROGRAMS.items():
            program = folder / "bin" / name
            program.write_text(f"#!/bin/sh\n{body}\n")
            program.chmod(0o755)
        shutil.copytree(CHECKOUT / "tools", self.folder / "tools")
        (self.folder / "tools" / "packages.txt").write_text("# the lab's\nknot\nopenssh-server\n")
        (self.there / "account").write_text("7001\n")
        self.has("knot", "openssh-server")
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "THERE": str(self.there),
            "PACKAGES": "",
        }

    def has(self, *packages: str) -> None:
        """Let exactly these packages be installed."""
        (self.there / "installed").write_text("".join(f"{package}\n" for package in packages))

    def asked(self) -> list[str]:
        """Return what was done as root."""
        file = self.there / "asked"
        return file.read_text().splitlines() if file.exists() else []

    def setup(self, *, installs: str = "") -> subprocess.CompletedProcess[str]:
        """Run `tools/setup packages`; apt-get will install what is said."""
        return subprocess.run(
            [str(self.folder / "tools" / "setup"), "packages"],
            env=self.environment | {"PACKAGES": installs},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if "ID=debian" not in Path("/etc/os-release").read_text():
        pytest.skip("tools/setup is for Debian 12")
    return Machine(tmp_path)


def test_where_all_is_there_nothing_is_done_or_said(machine: Machine) -> None:
    done = machine.setup()

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.asked() == []


def test_a_stamp_from_another_machine_is_not_believed(machine: Machine) -> None:
    (machine.folder / "var" / "stamps").mkdir(parents=True)
    (machine.folder / "var" / "stamps" / "packages").touch()
    (machine.there / "account").unlink()

    assert machine.setup().returncode == 0
    assert [line.split()[0] for line in machine.asked()] == ["useradd"]


def test_an_account_of_that_name_with_another_uid_is_named(machine: Machine) -> None:
    (machine.there / "account").write_text("1007\n")

    done = machine.setup()

    assert done.returncode == 1
    assert "an account 'lab' with the uid 1007" in done.stderr
    assert machine.asked() == []


def test_the_account_that_has_the_uid_is_named(machine: Machine) -> None:
    (machine.there / "account").unlink()
    (machine.there / "holder").write_text("bob:x:7001:7001::/home/bob:/bin/sh\n")

    done = machine.setup()

    assert done.returncode == 1
    assert "the account 'bob'" in done.stderr


def test_what_we_install_does_not_start_with_the_machine(machine: Machine) -> None:
    """And the sshd that was there before goes on doing so."""
    machine.has("openssh-server")

    done = machine.setup(installs="knot")

    assert done.returncode == 0, done.stderr
    (disabled,) = (line for line in machine.asked() if line.startswith("systemctl"))
    assert disabled == "systemctl disable knot.service"
    assert not (machine.folder / "var" / "stamps" / "enabled").exists()


def test_a_setup_that_was_killed_is_gone_on_with(machine: Machine) -> None:
    """It had installed, but not yet disabled."""
    (machine.folder / "var" / "stamps").mkdir(parents=True)
    (machine.folder / "var" / "stamps" / "enabled").write_text("knot\npuppetdb\n")

    assert machine.setup().returncode == 0

    assert machine.asked() == ["systemctl disable knot.service"]
    assert machine.setup().returncode == 0
    assert len(machine.asked()) == 1


def test_what_could_not_be_installed_is_named(machine: Machine) -> None:
    machine.has("openssh-server")

    done = machine.setup()

    assert done.returncode == 1
    assert "could not be installed: knot" in done.stderr
