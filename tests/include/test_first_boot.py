"""The script of a VM's first boot, run with a `puppet` that only writes down what it is asked."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from include.first_boot import RUNS, START_SCRIPT, first_boot_context

CONTEXT = first_boot_context(
    fqdn="shop-k3f7x2q-0.lab.test",
    token="1795375917.c2VjcmV0",
    puppet_server="puppet.lab.test",
    environment="production",
    role="shop",
    service="shop",
    release="1.1",
    slot=0,
)
PUPPET = """#!/bin/sh
echo "$@" >> "$HOME/calls"
case "$1" in
  config) printf 'csr_attributes = %s\\nhostcert = %s\\n' "$HOME/etc/csr.yaml" "$HOME/cert.pem" ;;
  ssl) cp -p "$HOME/etc/csr.yaml" "$HOME/seen.yaml"
       [ -z "${NO_CA:-}" ] && echo x > "$HOME/cert.pem" ;;
  agent) exit "${AGENT_EXIT:-2}" ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
echo "$@" >> "$HOME/calls"
exit "${SYSTEMCTL_EXIT:-0}"
"""


@dataclass
class Vm:
    home: Path

    def boot(self, **environment: str) -> int:
        script = base64.b64decode(CONTEXT["START_SCRIPT_BASE64"])
        paths = {
            "HOME": str(self.home),
            "PATH": f"{self.home}/bin:{os.environ['PATH']}",
            "FACTS_D": str(self.home / "facts.d"),
        }
        shell = subprocess.run(
            ["sh", "-s"], input=script, env={**CONTEXT, **paths, **environment}, check=False
        )
        return shell.returncode

    @property
    def calls(self) -> list[str]:
        calls = self.home / "calls"
        return calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def vm(tmp_path: Path) -> Vm:
    (tmp_path / "bin").mkdir()
    for name, script in (("puppet", PUPPET), ("systemctl", SYSTEMCTL), ("sleep", "#!/bin/sh\n")):
        program = tmp_path / "bin" / name
        program.write_text(script)
        program.chmod(0o755)
    return Vm(tmp_path)


def test_the_first_boot_enrols_and_then_runs_the_agent(vm: Vm) -> None:
    """With keep-alive off for the enrolment, and on for the run."""
    assert vm.boot() == 0

    verbs = [call.split()[0] for call in vm.calls]
    assert verbs == ["config", "ssl", "agent", "start"]
    assert "--http_keepalive_timeout 0" in vm.calls[1]
    assert "--http_keepalive_timeout" not in vm.calls[2]
    assert "--certname shop-k3f7x2q-0.lab.test --server puppet.lab.test" in vm.calls[2]


def test_the_token_is_in_the_request_and_nowhere_afterwards(vm: Vm) -> None:
    """Only root could read it while it was there."""
    vm.boot()

    seen = vm.home / "seen.yaml"
    assert '1.2.840.113549.1.9.7: "1795375917.c2VjcmV0"' in seen.read_text()
    assert '1.3.6.1.4.1.34380.1.2.1: "1.1"' in seen.read_text()
    assert stat.S_IMODE(seen.stat().st_mode) == 0o600
    assert not (vm.home / "etc" / "csr.yaml").exists()


def test_the_token_is_removed_when_nobody_signs(vm: Vm) -> None:
    """And no agent runs without a certificate."""
    assert vm.boot(NO_CA="1") != 0

    assert not (vm.home / "etc" / "csr.yaml").exists()
    assert [call.split()[0] for call in vm.calls] == ["config", "ssl"]


def test_a_second_boot_only_runs_the_agent(vm: Vm) -> None:
    """The certificate is there."""
    vm.boot()
    vm.boot()

    assert [call.split()[0] for call in vm.calls][4:] == ["config", "agent", "start"]


def test_puppet_learns_service_release_slot_and_its_server_as_facts(vm: Vm) -> None:
    """Facter reads the file."""
    vm.boot()

    facts = (vm.home / "facts.d" / "snowmelt.txt").read_text().split()
    assert facts == [
        "snowmelt_service=shop",
        "snowmelt_release=1.1",
        "snowmelt_slot=0",
        "snowmelt_puppet_server=puppet.lab.test",
    ]


def test_what_came_of_the_run_is_told_and_nobody_waits_for_it_to_work(vm: Vm) -> None:
    """PuppetDB has the facts from before the run: without the release."""
    assert vm.boot(SYSTEMCTL_EXIT="5") == 0
    assert vm.calls[-1] == "start --no-block snowmelt-inventory.service"


@pytest.mark.parametrize(("code", "runs", "result"), [("0", 1, 0), ("6", RUNS, 1), ("1", RUNS, 1)])
def test_the_agents_exit_code_decides(vm: Vm, code: str, runs: int, result: int) -> None:
    """Whatever failed may pass: 6 is a failed resource, 1 no run at all."""
    assert vm.boot(AGENT_EXIT=code) == result
    assert [call.split()[0] for call in vm.calls].count("agent") == runs


def test_the_context_holds_the_script_and_no_line_ends() -> None:
    """OpenNebula's own quoting never sees the script."""
    assert base64.b64decode(CONTEXT["START_SCRIPT_BASE64"]).decode() == START_SCRIPT
    assert all("\n" not in value for value in CONTEXT.values())
