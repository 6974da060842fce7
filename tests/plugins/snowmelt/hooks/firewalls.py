"""A real firewall for tests: nftables in a namespace of its own, behind a real sshd on loopback."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.plugins.snowmelt.hooks.servers import (
    free_port,
    listens,
    program,
    running,
    until,
)

# The key may do this one thing, as docs/how-to/firewall.md says; TMP/fail makes it refuse.
AUTHORIZED = 'restrict,command="{command}" {key}'
SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""
TABLE: list[dict[str, Any]] = [
    {"add": {"table": {"family": "inet", "name": "central"}}},
    *(
        {"add": {"set": {"family": "inet", "table": "central", "name": name, **kind}}}
        for name, kind in (
            ("web_vms", {"type": "ipv4_addr"}),
            ("office", {"type": "ipv4_addr", "flags": ["interval"]}),
        )
    ),
]


@dataclass(frozen=True)
class RealFirewall:
    """How to reach it, and a way to it beside SSH."""

    port: int
    folder: Path
    inside: tuple[str, ...]

    def nft(self, *commands: dict[str, Any]) -> Any:
        """Tell it something by hand."""
        done = subprocess.run(
            [*self.inside, program("nft"), "-j", "-f", "-"],
            input=json.dumps({"nftables": commands}),
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)["nftables"] if done.stdout else []

    def add(self, group: str, *elements: Any) -> None:
        """Put elements into a set by hand."""
        where = {"family": "inet", "table": "central", "name": group}
        self.nft({"add": {"element": {**where, "elem": list(elements)}}})

    def extra(self, **changes: str) -> dict[str, str]:
        """Return the extra of a Connection to it."""
        kind, key, *_ = (self.folder / "host.pub").read_text().split()
        known = {"key_file": str(self.folder / "mine"), "host_key": f"{kind} {key}"}
        return {"table": "inet central", **known, **changes}


def make_key(file: Path) -> None:
    """Make a key pair without a passphrase."""
    command = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(file)]
    subprocess.run(command, check=True)


@contextmanager
def firewall(folder: Path) -> Iterator[RealFirewall]:
    """Yield a firewall with a table and two empty sets; it is gone after the block."""
    sshd, nft, port = program("sshd"), program("nft"), free_port()
    for name in ("host", "mine", "strange"):
        make_key(folder / name)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # for sshd's own children, which are nobody
    with _namespace() as inside:
        command = f"test ! -e {folder}/fail && {' '.join(inside)} {nft} -j -f -"
        key = (folder / "mine.pub").read_text()
        (folder / "authorized_keys").write_text(AUTHORIZED.format(command=command, key=key))
        (folder / "sshd_config").write_text(SSHD.format(port=port, folder=folder))
        serve = [sshd, "-D", "-e", "-f", str(folder / "sshd_config")]
        with running(serve, folder / "sshd.log", lambda: listens(port)):
            real = RealFirewall(port, folder, inside)
            real.nft(*TABLE)
            yield real


@contextmanager
def _namespace() -> Iterator[tuple[str, ...]]:
    """Yield what to put before a command so that it runs in a network without anything."""
    command = [program("unshare"), "--map-root-user", "--net", "sleep", "infinity"]
    with subprocess.Popen(command) as process:
        there = Path(f"/proc/{process.pid}")
        try:
            until(lambda: (there / "ns/net").readlink() != Path("/proc/self/ns/net").readlink())
            until(lambda: bool((there / "uid_map").read_text().strip()))
            enter = [program("nsenter"), "--preserve-credentials", "--user", "--net", "--target"]
            yield (*enter, str(process.pid))
        finally:
            process.kill()


def me() -> str:
    """Return the account that the tests run under, the only one that their sshd lets in."""
    return getpass.getuser()
