"""The lab's network: one namespace with a bridge in it, and no route out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from lab.settings import BRIDGE, NETNS, POOLS, SERVICES_IP, ZONE

_RESOLV = Path("/etc/netns") / NETNS  # `ip netns exec` lays this over /etc/resolv.conf
_ADDRESSES = (SERVICES_IP, *POOLS.values())


def up() -> None:
    """Make the namespace, its bridge and its addresses. Idempotent."""
    _RESOLV.mkdir(parents=True, exist_ok=True)
    (_RESOLV / "resolv.conf").write_text(f"nameserver {SERVICES_IP}\nsearch {ZONE}\n")
    if SERVICES_IP in _present():  # what runs in it stays: an address that came later is added
        for address in sorted(set(_ADDRESSES) - _present()):
            _ip("-n", NETNS, "addr", "add", f"{address}/24", "dev", BRIDGE)
        return
    down()
    _RESOLV.mkdir(parents=True, exist_ok=True)
    (_RESOLV / "resolv.conf").write_text(f"nameserver {SERVICES_IP}\nsearch {ZONE}\n")
    _ip("netns", "add", NETNS)
    _ip("-n", NETNS, "link", "set", "lo", "up")
    _ip("-n", NETNS, "link", "add", BRIDGE, "type", "bridge")
    _ip("-n", NETNS, "link", "set", BRIDGE, "address", "02:00:c6:12:00:01")
    for address in _ADDRESSES:
        _ip("-n", NETNS, "addr", "add", f"{address}/24", "dev", BRIDGE)
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


def down() -> None:
    """Remove the namespace and with it the bridge. Idempotent."""
    subprocess.run(["ip", "netns", "del", NETNS], capture_output=True, check=False)
    (_RESOLV / "resolv.conf").unlink(missing_ok=True)
    if _RESOLV.is_dir():
        _RESOLV.rmdir()


def _present() -> set[str]:
    """The addresses of the bridge; none when there is no bridge."""
    command = ["ip", "-n", NETNS, "-j", "addr", "show", "dev", BRIDGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return set()
    return {a["local"] for link in json.loads(done.stdout) for a in link.get("addr_info", [])}


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
