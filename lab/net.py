"""The lab's network: one namespace with a bridge in it, and no route out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from lab.settings import BRIDGE, NETNS, POOLS, SERVICES_IP, ZONE

_RESOLV = Path("/etc/netns") / NETNS  # `ip netns exec` lays this over /etc/resolv.conf
_NAMED = Path("/run/netns") / NETNS
_OWNER = "# the Snowmelt lab in "
_ADDRESSES = (SERVICES_IP, *POOLS.values())


def up(state: Path) -> None:
    """Make the namespace of the lab in *state*, its bridge and its addresses. Idempotent."""
    _resolver(state)
    if SERVICES_IP in _present():  # what runs in it stays: an address that came later is added
        for address in sorted(set(_ADDRESSES) - _present()):
            _ip("-n", NETNS, "addr", "add", f"{address}/24", "dev", BRIDGE)
        return
    down()
    _resolver(state)
    _ip("netns", "add", NETNS)
    _ip("-n", NETNS, "link", "set", "lo", "up")
    _ip("-n", NETNS, "link", "add", BRIDGE, "type", "bridge")
    _ip("-n", NETNS, "link", "set", BRIDGE, "address", "02:00:c6:12:00:01")
    _ip("-n", NETNS, "link", "set", BRIDGE, "up")
    # Ports 53 and 80 without root. The setting is the namespace's own, not the host's.
    inside = [
        "ip",
        "netns",
        "exec",
        NETNS,
        "sysctl",
        "-qw",
        "net.ipv4.ip_unprivileged_port_start=0",
    ]
    subprocess.run(inside, check=True)
    for address in _ADDRESSES:  # last: a network with the first of them is taken for a whole one
        _ip("-n", NETNS, "addr", "add", f"{address}/24", "dev", BRIDGE)


def down() -> None:
    """Remove the namespace and with it the bridge. Idempotent."""
    subprocess.run(["ip", "netns", "del", NETNS], capture_output=True, check=False)
    (_RESOLV / "resolv.conf").unlink(missing_ok=True)
    if _RESOLV.is_dir():
        _RESOLV.rmdir()


def foreign(state: Path) -> str:
    """Say why the network is not of the lab in *state*; nothing where it is, or there is none."""
    file = _RESOLV / "resolv.conf"
    text = file.read_text() if file.exists() else ""
    if text.startswith(_OWNER):
        owner = text.splitlines()[0].removeprefix(_OWNER)
        if owner == str(state):
            return ""
        return (
            f"the network {NETNS} is of the lab in {owner}: end that one"
            f" (`make lab-down SNOWMELT_LAB_STATE={owner}`), or set SNOWMELT_LAB_NETNS"
        )
    if text or _NAMED.exists():
        return (
            f"there is a network namespace {NETNS} already that no lab has made:"
            " set SNOWMELT_LAB_NETNS to another name, or remove it"
        )
    return ""


def _resolver(state: Path) -> None:
    """Say who answers for names in there, and whose network it is."""
    _RESOLV.mkdir(parents=True, exist_ok=True)
    text = f"{_OWNER}{state}\nnameserver {SERVICES_IP}\nsearch {ZONE}\n"
    file = _RESOLV / "resolv.conf"
    if not file.exists() or file.read_text() != text:  # programs that run look at this very file
        file.write_text(text)


def _present() -> set[str]:
    """The addresses of the bridge; none when there is no bridge."""
    command = ["ip", "-n", NETNS, "-j", "addr", "show", "dev", BRIDGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return set()
    return {a["local"] for link in json.loads(done.stdout) for a in link.get("addr_info", [])}


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
