"""What supervisord is told."""

from __future__ import annotations

import configparser
from pathlib import Path

from lab.settings import NETNS
from lab.supervisor import Program, Supervisor, configuration


def read(*programs: Program) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(configuration(programs, Path("/run/x"), Path("/log/x")))
    return parser


def test_a_service_runs_in_the_labs_network_without_roots_rights() -> None:
    """The default: the lab's namespace, uid 7001, no other groups, a clean environment."""
    command = read(Program("knot", ["knotd"]))["program:knot"]["command"]

    user = "setpriv --reuid 7001 --regid 7001 --clear-groups"
    assert command.startswith(f"ip netns exec {NETNS} {user}")
    assert " env -i " in command
    assert command.endswith(" knotd")


def test_the_hypervisor_keeps_roots_rights() -> None:
    """Only a program that asks for root gets it."""
    assert "setpriv" not in read(Program("one", ["x"], user="root"))["program:one"]["command"]


def test_blanks_and_percent_signs_reach_the_program() -> None:
    """supervisord expands %(x)s, and splits at blanks."""
    command = read(Program("x", ["run", "a b", "100%"]))["program:x"]["command"]

    assert command.endswith("run 'a b' 100%%")


def test_nothing_starts_by_itself() -> None:
    """The order is the lab's."""
    assert read(Program("x", ["run"]))["program:x"]["autostart"] == "false"


def test_no_supervisor_means_no_states(tmp_path: Path) -> None:
    """lab-status of a lab that is down is an answer, not an error."""
    assert Supervisor(tmp_path, tmp_path).states() == {}
